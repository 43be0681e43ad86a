"""Rival: whole heads removed by their gradients, and nothing else.

Michel, Levy and Neubig 2019, "Are sixteen heads really better than one?": a head's importance is the mean of |dL/dgate|
over examples, divided by the L2 norm of its layer's; the least important go first, over all layers. At least one head
stays in each layer, as where they remove all but one. FFN units are not theirs to cut, so small budgets are out of
reach: the network is then the smallest that heads alone can make, and its note says what it weighs. It has the
default's word table and recovery.
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import Site
from pruning.methods.made import Chosen
from pruning.methods.room import Room, first_of, ranked, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, largest_count

NAME = "head-gradient"


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """As many heads as fit, or one a layer."""
    room = room_at(shared, budget)
    selection = best_heads(room, shared.factors.stored("head_gradient")[Site.ATTENTION_CONTEXT])
    note = room.shortfall(selection, "one head a layer is left, and FFN units are not cut")
    return Chosen(cut_to(shared, budget, selection), NAME, note=note)


def best_heads(room: Room, importance: np.ndarray) -> Selection:
    """The most important heads.

    Args:
        room: under the budget.
        importance: (layers, heads)
    """
    norms = np.linalg.norm(importance, axis=1, keepdims=True)
    normed = importance / np.maximum(norms, np.finfo(np.float32).tiny)
    layers = np.arange(len(normed))
    normed[layers, normed.argmax(1)] = np.inf  # each layer's best one comes before all others
    order = ranked(normed)

    def build(count: int) -> np.ndarray:
        return first_of(order, len(layers) + count, normed.shape)

    count = largest_count(normed.size - len(layers), lambda count: room.fits(room.with_heads(build(count))))
    return room.selection(room.with_heads(build(max(0, count))))
