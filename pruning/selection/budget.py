"""How large a slim network may be, and how that is spelled."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from pruning.errors import ConfigError
from pruning.records import Record
from pruning.selection.budgets import BUDGET_KINDS

# No network is a millionth of its teacher, and a smaller number has no short name.
BudgetValue = Annotated[float, Meta(ge=1e-6, le=1)]


class Budget(Record, frozen=True):
    """A limit as a ratio to the teacher.

    Attributes:
        kind: one of `BUDGET_KINDS`.
        value: the ratio.
    """

    label: ClassVar[str] = "budget "

    kind: str
    value: BudgetValue

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in BUDGET_KINDS:
            raise ConfigError(f"budget kind {self.kind!r:.40}: expected one of {', '.join(BUDGET_KINDS)}")

    @property
    def name(self) -> str:
        """The budget as variants and stored masks are named: "10", "2.5", "flops-25"."""
        word = BUDGET_KINDS[self.kind].word
        return f"{word}-{100 * self.value:.4g}" if word else f"{100 * self.value:.4g}"
