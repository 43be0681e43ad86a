"""Rival: units drawn at random, the control; all else as the default method does it.

As many heads as the default keeps, for a network without heads reads nothing and would be beaten by anything; FFN units
fill what is left of the budget. Word table, least squares and recovery are the default's, so that what differs is the
choice of units alone. Each seed of a sweep draws other units; a study draws once, with its own.
"""

from __future__ import annotations

import numpy as np

from pruning.errors import SelectionError
from pruning.methods.made import Chosen
from pruning.methods.room import Room, first_of, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to
from pruning.selection.budget import Budget
from pruning.selection.select import Selection

NAME = "random"


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """Units drawn with the seed."""
    selection = random_units(room_at(shared, budget), shared.context.with_seed(seed).seed)
    return Chosen(cut_to(shared, budget, selection), NAME, is_solved=True)


def random_units(room: Room, seed: int) -> Selection:
    """Heads and FFN units drawn with a seed.

    Raises:
        SelectionError: if no unit at all fits.
    """
    generator, shape = np.random.default_rng(seed), room.shape
    heads = generator.permutation(shape.layers * shape.heads)
    units = generator.permutation(shape.layers * shape.ffn)
    # The default may keep some units of a head; whole ones are drawn here, and may be fewer for that.
    for count in range(int((room.default.masks.heads(shape) > 0).sum()), -1, -1):
        masks = room.with_ffn(room.with_heads(first_of(heads, count, (shape.layers, shape.heads))), units)
        if masks is not None:
            return room.selection(masks)
    raise SelectionError("random units: not even a network without any is within the budget")
