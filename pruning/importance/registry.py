"""Criteria that say how much a unit matters, one module each; a new one is a file and a line here.

Names can be looked up without torch. What a module has depends on what its criterion needs:

- "slimmed": ``importance(slimmed)``, from the slimmed network's factors.
- "gradients": ``contribution(gradient, site, shape)``, one batch's share of a mean over examples (see `gradients`).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal


@dataclass(frozen=True)
class Criterion:
    """What there is to know of a criterion before it is computed.

    Attributes:
        name: as settings, stored factors and the dashboard spell it.
        module: where it is computed.
        needs: the slimmed network, or gradients of the teacher's loss.
        ranks: "units" (what a selection needs) or whole "heads".
    """

    name: str
    module: str
    needs: Literal["slimmed", "gradients"]
    ranks: Literal["units", "heads"]

    def load(self) -> Any:
        """Its module."""
        return import_module(self.module)


CRITERIA: dict[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("alpha", "pruning.importance.alpha", "slimmed", "units"),
        Criterion("head_gradient", "pruning.importance.head_gradient", "gradients", "heads"),
        Criterion("taylor", "pruning.importance.taylor", "gradients", "units"),
    )
}
UNIT_CRITERIA = tuple(name for name, criterion in CRITERIA.items() if criterion.ranks == "units")
