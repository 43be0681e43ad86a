"""Recovery of networks that lost no unit: sparse ones, decomposed ones, those with shared layers.

They read texts as the teacher does; loss, batches, steps and checkpoints are those of `recover`. Zeros come while they
train, when the schedule says so.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from pruning.compress.sparse.movement import SCORE_RATE
from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.sparsifier import Sparsifier
from pruning.compress.sparse.target import Target, target_of
from pruning.selection.budget import Budget
from pruning.slimbert import round_to_half
from pruning.training.context import Context
from pruning.training.recover import Lessons, Recovered, following
from pruning.training.trainer import train


@dataclass(frozen=True)
class Sparsity:
    """How zeros come while a network trains.

    Attributes:
        sparsifier: what chooses them, not used before.
        schedule: when.
    """

    sparsifier: Sparsifier
    schedule: Schedule


class SparsityCallback(TrainerCallback):
    """Sets weights to zero as a schedule says, and keeps them there; goes on from a checkpoint to the bit.

    Zeros in the weights are made at the beginning of a step, after its checkpoint; a choice that follows learned scores
    is made at the end of each step, from what a checkpoint holds.

    Args:
        network: as it is trained; the Trainer may wrap it.
        sparsity: its sparsifier is attached to the target.
        target: which weights, and how many stay at the end.
    """

    def __init__(self, network: Any, sparsity: Sparsity, target: Target) -> None:
        self.network, self.target = network, target
        self.sparsifier, self.schedule = sparsity.sparsifier, sparsity.schedule

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A learned choice, as it was when the checkpoint was written."""
        self._choose(state)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """New zeros, if it is time for some."""
        events = self.schedule.events(state.max_steps, self.target.density)
        if not self.sparsifier.learns and state.global_step in events:
            self.sparsifier.prune(self.network, self.target, events[state.global_step])

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Before weights move."""
        self.sparsifier.before_update()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After they moved."""
        self.sparsifier.after_update()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A learned choice, for the next step."""
        self._choose(state)

    def _choose(self, state: Any) -> None:
        if self.sparsifier.learns:
            density = self.schedule.density_at(state.global_step, state.max_steps, self.target.density)
            self.sparsifier.prune(self.network, self.target, density)


def recover_whole(
    context: Context,
    network: Any,
    name: str,
    budget: Budget,
    lessons: Lessons,
    folder: Path,
    *,
    sparsity: Sparsity | None = None,
    rate: float | None = None,
) -> Recovered:
    """The stage: train a copy of a network by distillation, and make it sparse on the way where that is asked for.

    Args:
        context: of the study.
        network: the teacher as a slim network (`slimbert.dense_from_bert`), or what compression made of it, with the
            teacher's vocabulary and residual width; left as it is.
        name: of the stage.
        budget: what the network ends with, or has already.
        lessons: what to learn from.
        folder: of the stage.
        sparsity: how zeros come; None trains the network as it is.
        rate: peak learning rate of the weights; None for recovery's own at this budget.

    Raises:
        SelectionError: a sparse network cannot meet the budget.
    """
    model = copy.deepcopy(network).requires_grad_(True)
    training = following(context, name, folder, budget.value, lessons)
    training = replace(training, rate=rate or training.rate)
    if sparsity is None:
        history = train(model, training, context)
    else:
        target = target_of(model, budget)
        sparsity.sparsifier.attach(target)
        told = SparsityCallback(model, sparsity, target)
        history = train(model, replace(training, alpha_rate=SCORE_RATE, callbacks=(told,)), context)
        sparsity.sparsifier.detach(model, target)
    round_to_half(model)
    return Recovered(model, context.tokenizer, history)
