"""Rival: whole layers, the top ones dropped ("encoder unit pruning" of the surveys).

Sajjad et al. 2020, "Poor man's BERT": of several ways to drop layers of a fine-tuned network, dropping the top ones
kept most. As many of the first layers as fit are kept, at least one; where that one does not fit, the note says what
the network weighs. It has the default's word table and recovery; hidden states follow the teacher's at even distances,
the last its last (see `even_states`).
"""

from __future__ import annotations

from pruning.methods.made import Made, made_of
from pruning.methods.room import room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to, even_states, retrain
from pruning.selection.budget import Budget
from pruning.training.recover import Manner

NAME = "layers"


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """The first layers, as many as fit."""
    room = room_at(shared, budget)
    fitting = [count for count in range(1, room.shape.layers + 1) if room.fits(room.base, count)]
    kept = max(fitting, default=1)
    selection = room.selection(room.base, kept)
    manner = Manner(states=even_states(room.shape.layers, kept))
    recovered = retrain(shared, cut_to(shared, budget, selection), seed, NAME, manner, {"layers": kept})
    return made_of(recovered, room.shortfall(selection, "one whole layer is left"))
