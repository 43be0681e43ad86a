"""Rival: every matrix of the layers as a product of two thinner ones, all of the same share (see `compress.decompose`).

Chen et al. 2021, "DRONE", and Wang et al. 2024, "SVD-LLM", whose weighing by what a matrix reads it takes; no unit is
removed. The word table is the default method's, which is a product of two already, and of fewer pieces.
"""

from __future__ import annotations

from dataclasses import replace

from pruning.compress.decompose import SMALLEST, decomposed
from pruning.methods.made import Made, made_of
from pruning.methods.room import room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import Step, cut_to, own_texts, retrain
from pruning.selection.budget import Budget

NAME = "decomposition"


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """Decompose on training texts, then recover."""
    room = room_at(shared, budget)
    step = cut_to(shared, budget, room.selection(room.base))
    layers = room.for_layers(budget).value
    model = decomposed(step.cut.model, own_texts(shared.context, step.cut), density=layers)
    step = Step(replace(step.cut, model=model), step.after)
    return made_of(retrain(shared, step, seed, NAME, settings={"smallest": SMALLEST}))
