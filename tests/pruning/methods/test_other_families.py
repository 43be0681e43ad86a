"""Decomposition and one layer for all, as methods: what they spend, and what they share with the default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from pruning.methods.one_layer import plan_beside
from pruning.methods.registry import METHODS
from pruning.methods.room import Room, room_at
from pruning.methods.shared import Shared
from pruning.slimbert import parameter_count
from tests.pruning.methods.conftest import HALF


def test_a_decomposition_fills_the_budget_with_products(shared: Shared) -> None:
    room = room_at(shared, HALF)
    found = METHODS["decomposition"].load()(shared, HALF, None)
    counted = parameter_count(found.model).total
    assert 0.9 * room.limit < counted <= room.limit
    assert not found.note
    products = [module for module in found.model.slimbert.layers.modules() if isinstance(module, nn.Sequential)]
    assert len(products) == 4 * room.shape.layers
    assert found.model.config.rank == room.default.rank
    assert_learned(found.model, found.history)


def test_one_layer_is_all_layers_after_training_too(shared: Shared) -> None:
    room = room_at(shared, HALF)
    found = METHODS["shared-layers"].load()(shared, HALF, None)
    first, *others = found.model.slimbert.layers
    assert len(others) == room.shape.layers - 1
    assert all(other is first for other in others)
    assert parameter_count(found.model).total <= room.limit
    assert not found.note
    assert_learned(found.model, found.history)


def assert_learned(model: Any, history: list[dict[str, Any]]) -> None:
    state = model.state_dict()
    assert all(torch.equal(value, value.half().float()) for value in state.values() if value.is_floating_point())
    assert {"hidden", "logits"} <= {part for entry in history for part in entry}


def test_the_table_gets_what_one_layer_leaves(shared: Shared) -> None:
    room = room_at(shared, HALF)

    def cost(room: Room, rank: int | None) -> float:
        return room.cost(replace(room.plan, rank=rank).shape(room.shape, room.base, 1))

    assert plan_beside(room).rank is None  # half of the tiny teacher has room for a whole table
    tight = replace(room, limit=cost(room, 5))
    assert plan_beside(tight).rank == 5
    assert cost(tight, 6) > tight.limit
    assert plan_beside(replace(room, limit=cost(room, 1) - 1)) == room.plan  # too little: the note says so
