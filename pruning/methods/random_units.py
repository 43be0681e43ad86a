"""Rival: units drawn at random, the control; all else as the default method does it.

As many heads as the default keeps, for a network without heads reads nothing and would be beaten by anything; FFN units
fill what is left of the budget. Word table, least squares and recovery are the default's, so that what differs is the
choice of units alone. Each seed draws other units.
"""

from __future__ import annotations

import numpy as np

from pruning.errors import SelectionError
from pruning.methods.made import Made, made_of
from pruning.methods.room import Room, first_of, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to, retrain, solve
from pruning.selection.budget import Budget
from pruning.selection.select import Selection

NAME = "random"


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """Units drawn with the seed."""
    selection = random_units(room_at(shared, budget), shared.context.with_seed(seed).seed)
    step = solve(shared, cut_to(shared, budget, selection), NAME)
    return made_of(retrain(shared, step, seed, NAME))


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
