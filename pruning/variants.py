"""Which network of a study is meant: one type with one spelling."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from pruning.errors import ConfigError
from pruning.records import Record, Seed
from pruning.selection.budgets import BUDGET_KINDS

TEACHER_METHOD = "teacher"
STEPS = ("one-shot", "post-training")  # of every method, on the way to its own networks
FLOAT, INT8 = "float32", "int8"
PRECISIONS = (FLOAT, INT8)
_WORDS = "|".join(re.escape(kind.word) for kind in BUDGET_KINDS.values() if kind.word)
_BUDGET = rf"(?:(?:{_WORDS})-)?[0-9]{{1,3}}(?:\.[0-9]{{1,9}})?"
_SPELLING = re.compile(
    rf"(?P<method>[a-z]+(?:-[a-z]+)*?)(?:-(?P<budget>{_BUDGET}))?(?:-seed(?P<seed>[0-9]{{1,10}}))?(?:-(?P<precision>int8))?"
)
BudgetName = Annotated[str, Meta(pattern=rf"^{_BUDGET}$")]


class Variant(Record, frozen=True, omit_defaults=True):
    """One network of a study.

    Attributes:
        method: how it was made: "teacher" (nothing cut), "slim" or a rival's name (cut by that method and recovered),
            "one-shot" (cut, nothing else), "post-training" (cut and its output matrices solved anew, nothing trained).
        budget: name of the budget it was cut to ("10", "flops-25"); None for the teacher.
        seed: of its training where that is not the study's own.
        precision: what it computes in.
    """

    method: Annotated[str, Meta(pattern=r"^[a-z]+(?:-[a-z]+)*$", max_length=40)]
    budget: BudgetName | None = None
    seed: Seed | None = None
    precision: str = FLOAT

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.method == TEACHER_METHOD) != (self.budget is None):
            raise ConfigError(f"variant {self.name!r}: expected a budget for every network but the teacher")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"variant {self.name!r}: precision, expected one of {', '.join(PRECISIONS)}")
        if _parts(self.name) != (self.method, self.budget, self.seed, self.precision):
            raise ConfigError(f"variant {self.name!r}: method {self.method!r}, expected one that cannot be misread")

    @property
    def name(self) -> str:
        """How the variant is spelled: "teacher", "slim-10", "slim-10-seed1-int8"; also its folder's name."""
        parts = [self.method, self.budget, None if self.seed is None else f"seed{self.seed}"]
        parts.append(None if self.precision == FLOAT else self.precision)
        return "-".join(part for part in parts if part)

    def __str__(self) -> str:
        return self.name

    @property
    def is_teacher(self) -> bool:
        """Whether this is the dense network that all others are compared with."""
        return self.method == TEACHER_METHOD

    @classmethod
    def parse(cls, text: str) -> Variant:
        """The inverse of `name`.

        Raises:
            ConfigError: if the text spells no variant.
        """
        parts = _parts(text)
        if parts is None:
            raise ConfigError(f"variant {text!r:.40}: expected a spelling such as teacher, slim-10 or one-shot-10")
        return cls(*parts)


def _parts(text: str) -> tuple[str, str | None, int | None, str] | None:
    """Method, budget, seed and precision of a spelling, or None where it is none."""
    match = _SPELLING.fullmatch(text)
    if match is None:
        return None
    seed = None if match["seed"] is None else int(match["seed"])
    return match["method"], match["budget"], seed, match["precision"] or FLOAT


TEACHER = Variant(TEACHER_METHOD)


def slim(budget: str, seed: int | None = None) -> Variant:
    """The network cut to a budget by SlimViz's own method and recovered; with the study's seed by default."""
    return Variant("slim", budget, seed)


def one_shot(budget: str) -> Variant:
    """The same before recovery."""
    return Variant(STEPS[0], budget)


def post_training(budget: str) -> Variant:
    """The same with its output matrices solved by least squares, the field's "post-training pruning"."""
    return Variant(STEPS[1], budget)
