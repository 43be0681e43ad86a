"""Criteria that say how much a unit matters, one module each; a new one is a file and a line here.

Names can be looked up without torch. What a module has depends on what its criterion needs:

- "slimmed": ``importance(slimmed)``, from what slimming left in the network's slim layers.
- "teacher": ``importance(teacher)``, from its weights.
- "gradients": ``contribution(gradient, site, shape)``, one batch's share of a mean over examples, from gradients of
  the teacher's loss (see `gradients`).
- "answers": the same, from gradients of its answers.
- "texts": ``importance(teacher, encoded, found, is_regression=..., seed=...)``, from a pass of its own over examples,
  and from what others found.
- "criteria": ``importance(found)``, from what others found, by name; they stand above it here.
- "nothing": ``importance(shape, seed)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

Need = Literal["slimmed", "teacher", "gradients", "answers", "texts", "criteria", "nothing"]


@dataclass(frozen=True)
class Criterion:
    """What there is to know of a criterion before it is computed.

    Attributes:
        name: as settings, stored factors and the dashboard spell it.
        module: where it is computed.
        needs: what its module reads.
        ranks: "units" (what a selection needs) or whole "heads".
    """

    name: str
    module: str
    needs: Need
    ranks: Literal["units", "heads"]

    def load(self) -> Any:
        """Its module."""
        return import_module(self.module)


CRITERIA: dict[str, Criterion] = {
    criterion.name: criterion
    for criterion in (
        Criterion("alpha", "pruning.importance.alpha", "slimmed", "units"),
        Criterion("sensitivity", "pruning.importance.sensitivity", "slimmed", "units"),
        Criterion("head_gradient", "pruning.importance.head_gradient", "gradients", "heads"),
        Criterion("taylor", "pruning.importance.taylor", "gradients", "units"),
        Criterion("taylor_by_head", "pruning.importance.taylor_by_head", "criteria", "units"),
        Criterion("head_answer", "pruning.importance.head_gradient", "answers", "heads"),
        Criterion("answer", "pruning.importance.taylor", "answers", "units"),
        Criterion("answer_by_head", "pruning.importance.answer_by_head", "criteria", "units"),
        Criterion("head_fisher", "pruning.importance.head_fisher", "gradients", "heads"),
        Criterion("fisher", "pruning.importance.fisher", "gradients", "units"),
        Criterion("fisher_by_head", "pruning.importance.fisher_by_head", "criteria", "units"),
        Criterion("brain_surgeon", "pruning.importance.brain_surgeon", "texts", "units"),
        Criterion("magnitude", "pruning.importance.magnitude", "teacher", "units"),
        Criterion("random", "pruning.importance.control", "nothing", "units"),
    )
}
UNIT_CRITERIA = tuple(name for name, criterion in CRITERIA.items() if criterion.ranks == "units")
HEAD_CRITERIA = tuple(name for name, criterion in CRITERIA.items() if criterion.ranks == "heads")
