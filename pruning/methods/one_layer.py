"""Rival: one set of layer weights, which all layers share (see `compress.shared_layers`).

Lan et al. 2020, "ALBERT": parameters are saved and not one operation. The layer begins as the mean of the teacher's and
is distilled. The word table has the default method's pieces, and, as theirs, is factored as far as the budget asks for:
it gets all that one layer leaves. Where that is not even a rank of 1, the note says what the network weighs.
"""

from __future__ import annotations

from dataclasses import replace

from pruning.compress.shared_layers import tied
from pruning.methods.made import Made, made_of
from pruning.methods.room import Room, only_parameters, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import Step, cut_to, retrain
from pruning.selection.budget import Budget
from pruning.selection.table import Plan

NAME = "shared-layers"


def make(shared: Shared, budget: Budget, seed: int | None) -> Made:
    """As many layers as the teacher has, all of them one."""
    only_parameters(budget)
    room = room_at(shared, budget)
    room = replace(room, plan=plan_beside(room))
    step = cut_to(shared, budget, room.selection(room.base))
    step = Step(replace(step.cut, model=tied(step.cut.model)), step.after)
    note = room.shortfall(room.selection(room.base, layers=1), "one layer is left, for all")
    return made_of(retrain(shared, step, seed, NAME), note)


def plan_beside(room: Room) -> Plan:
    """The word table of the highest rank that fits beside one layer; the default's own where none does."""
    ranks: list[int | None] = [None, *range(room.plan.hidden - 1, 0, -1)]
    plans = (replace(room.plan, rank=rank) for rank in ranks)
    fitting = (plan for plan in plans if room.cost(plan.shape(room.shape, room.base, 1)) <= room.limit)
    return next(fitting, room.plan)
