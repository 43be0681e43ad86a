"""Rivals: int8 instead of pruning, and on top of it (torch's dynamic quantisation, see `compress.quantise`).

A linear layer stores a byte a weight and computes in integers; embeddings, biases and layer norms stay as they are. No
parameter is removed by that, so the teacher in int8 has a budget of 1, and only the bytes and the milliseconds tell.
"""

from __future__ import annotations

from dataclasses import replace

from pruning.compress.quantise import dynamic_int8, int8_weights
from pruning.errors import ConfigError
from pruning.methods import slim
from pruning.methods.made import Made, make_chosen
from pruning.methods.shared import Shared
from pruning.selection.budget import Budget


def make(shared: Shared, budget: Budget, seed: int | None, *, pruned: bool) -> Made:
    """The teacher in int8, or the default method's network in int8; quantising needs no training.

    Raises:
        ConfigError: the teacher at a budget below 1.
    """
    if pruned:
        return in_int8(make_chosen(slim.choose, shared, budget, seed))
    if budget.value < 1:
        raise ConfigError(f"quantised at {budget.value:g}: int8 removes no parameter, expected a budget of 1")
    return in_int8(Made(shared.teacher.model, shared.context.tokenizer, []))


def in_int8(made: Made) -> Made:
    """The same network, answering and timed in int8."""
    return replace(made, runs=dynamic_int8(made.model), int8=int8_weights(made.model), kernels={})
