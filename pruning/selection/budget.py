"""How large a slim network may be, and how that is spelled."""

from __future__ import annotations

from typing import ClassVar

from pruning.errors import ConfigError
from pruning.records import Density, Record

# Kind -> the word in a budget's name. Total density is what a plain percentage means: "10", but "flops-25".
BUDGET_KINDS = {"total_density": "", "encoder_density": "encoder", "flop_ratio": "flops", "latency_ratio": "latency"}


class Budget(Record, frozen=True):
    """A limit as a ratio to the teacher, in (0, 1].

    Attributes:
        kind: one of `BUDGET_KINDS`.
        value: the ratio.
    """

    label: ClassVar[str] = "budget "

    kind: str
    value: Density

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in BUDGET_KINDS:
            raise ConfigError(f"budget kind {self.kind!r:.40}: expected one of {', '.join(BUDGET_KINDS)}")

    @property
    def name(self) -> str:
        """The budget as variants and stored masks are named: "10", "2.5", "flops-25"."""
        word = BUDGET_KINDS[self.kind]
        return f"{word}-{100 * self.value:.4g}" if word else f"{100 * self.value:.4g}"
