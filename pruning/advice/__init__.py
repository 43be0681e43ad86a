"""Which stored network fits what somebody can spend, and what to run next: from measured numbers alone (no torch)."""

from pruning.advice.limits import Limits
from pruning.advice.options import Option, called, options_of
from pruning.advice.own_data import Own, Plan, plan
from pruning.advice.ranking import Ranked, Refused, rank

__all__ = ["Limits", "Option", "Own", "Plan", "Ranked", "Refused", "called", "options_of", "plan", "rank"]
