"""The default method: units ranked by the study's criterion, cut, solved by least squares, recovered by distillation.

The stages are those of a study's own run (see `pipeline`): what either of them made, the other finds.
"""

from __future__ import annotations

from pruning.methods.made import Made, made_of
from pruning.methods.shared import Shared
from pruning.methods.steps import best_units, cut_to, retrain, solve
from pruning.selection.budget import Budget


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """The network that a study of this configuration ends with."""
    step = cut_to(shared, budget, best_units(shared, budget))
    if "least_squares" in shared.context.config.stages:
        step = solve(shared, step)
    return made_of(retrain(shared, step, seed))
