"""Which stored network fits what somebody can spend, and what to run next: from measured numbers alone (no torch)."""

from pruning.advice.limits import Limits
from pruning.advice.option import Option, Timed
from pruning.advice.options import called, options_of
from pruning.advice.own_data import Own, Plan, plan
from pruning.advice.profiled import is_of, is_scored
from pruning.advice.ranking import Ranked, Refused, rank

__all__ = [
    "Limits",
    "Option",
    "Own",
    "Plan",
    "Ranked",
    "Refused",
    "Timed",
    "called",
    "is_of",
    "is_scored",
    "options_of",
    "plan",
    "rank",
]
