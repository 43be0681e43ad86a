"""Rival: a small dense BERT of the same size, distilled: what a person would do without any pruning.

The teacher's first layers with its first FFN units, which are not chosen in any way, trained to follow it. There are as
many layers as leave each an FFN no narrower than the residual width; where even one layer with all heads does not, it
has fewer heads. It has the default's word table, and the teacher's weights to start from (DistilBERT starts from its
teacher's layers, too); hidden states follow the teacher's at even distances, the last its last.
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import Masks, Site
from pruning.methods.made import Made, made_of
from pruning.methods.room import Room, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to, even_states, retrain
from pruning.selection.budget import Budget
from pruning.selection.select import largest_count
from pruning.training.recover import Manner

NAME = "small-dense"


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """First layers, first heads, first FFN units."""
    room = room_at(shared, budget)
    layers, masks = small_shape(room)
    selection = room.selection(masks, layers)
    manner = Manner(states=even_states(room.shape.layers, layers))
    recovered = retrain(shared, cut_to(shared, budget, selection), seed, NAME, manner, {"layers": layers})
    return made_of(recovered, room.shortfall(selection, "one layer of one head is left"))


def small_shape(room: Room) -> tuple[int, Masks]:
    """How many layers, and which units they have."""
    shape = room.shape
    narrow = min(room.plan.hidden, shape.ffn)
    layers = max(1, largest_count(shape.layers, lambda count: room.fits(first_units(room, shape.heads, narrow), count)))
    heads = max(1, largest_count(shape.heads, lambda count: room.fits(first_units(room, count, narrow), layers)))
    ffn = max(0, largest_count(shape.ffn, lambda count: room.fits(first_units(room, heads, count), layers)))
    return layers, first_units(room, heads, ffn)


def first_units(room: Room, heads: int, ffn: int) -> Masks:
    """The first heads and FFN units of every layer."""
    shape = room.shape
    kept = np.broadcast_to(np.arange(shape.heads) < heads, (shape.layers, shape.heads))
    units = np.broadcast_to(np.arange(shape.ffn) < ffn, (shape.layers, shape.ffn))
    return room.with_heads(kept).with_site(Site.FFN_HIDDEN, units)
