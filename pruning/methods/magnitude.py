"""Rival: units ranked by the size of their weights, all else as the default method does it.

Li et al. 2017, "Pruning filters for efficient convnets", whose norm is taken here of what writes a unit times what
reads it (see `importance.magnitude`). Word table, least squares and recovery are the default's, so that what differs is
the choice of units alone. Norms are no losses, so heads and FFN units are not on one scale: heads count twice, as
|alpha| needs it (`SelectionSettings.attention_preference`); counted once, no head at all is left at 25%.
"""

from __future__ import annotations

from pruning.methods.made import Chosen
from pruning.methods.shared import Shared
from pruning.methods.steps import best_units, cut_to
from pruning.selection.budget import Budget

NAME = "magnitude"
ATTENTION_PREFERENCE = 2.0


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """The largest units per parameter."""
    settings = shared.context.config.selection.replace(attention_preference=ATTENTION_PREFERENCE)
    selection = best_units(shared, budget, "magnitude", settings)
    return Chosen(cut_to(shared, budget, selection), NAME, is_solved=True)
