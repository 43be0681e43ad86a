"""The default method: units ranked by the study's criterion, cut, solved by least squares, recovered by distillation.

The stages are those of a study's own run (see `pipeline`): what either of them made, the other finds.
"""

from __future__ import annotations

from pruning.config import DEFAULT_METHOD
from pruning.methods.made import Chosen
from pruning.methods.shared import Shared
from pruning.methods.steps import best_units, cut_to
from pruning.selection.budget import Budget


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """The units of highest importance."""
    return Chosen(cut_to(shared, budget, best_units(shared, budget)), DEFAULT_METHOD, is_solved=True)
