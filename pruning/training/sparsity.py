"""Zeros that come while a network trains, when a schedule says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback

from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.sparsifier import Sparsifier
from pruning.compress.sparse.target import Target, target_of
from pruning.selection.budget import Budget


@dataclass(frozen=True)
class Sparsity:
    """How zeros come while a network trains.

    Attributes:
        sparsifier: what chooses them, not used before.
        schedule: when.
        budget: what the network ends with, counted without zeros.
    """

    sparsifier: Sparsifier
    schedule: Schedule
    budget: Budget


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


@contextmanager
def growing_sparse(network: Any, sparsity: Sparsity) -> Iterator[SparsityCallback]:
    """A network that is trained inside, and afterwards is a plain one with zeros that meets its budget.

    Args:
        network: a slim network on which nothing is attached yet; changed in place.
        sparsity: how zeros come, and how many.

    Yields:
        What the training has to tell of its steps (`Training.callbacks`).

    Raises:
        SelectionError: what always stays is more than the budget.
    """
    target = target_of(network, sparsity.budget)
    sparsity.sparsifier.attach(target)
    yield SparsityCallback(network, sparsity, target)
    sparsity.sparsifier.detach(network, target)
