"""Rivals: int8 instead of pruning, and on top of it (torch's dynamic quantisation, see `compress.quantise`).

A linear layer stores a byte a weight and computes in integers; embeddings, biases and layer norms stay as they are. No
parameter is removed by that, so the teacher in int8 has a budget of 1, and only the bytes and the milliseconds tell. A
zero stays a zero: of a sparse network a byte is stored for each weight that is not, and where it belongs. Torch has no
kernel for such matrices, so they are timed by the dense one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pruning.compress.quantise import dynamic_int8, int8_weights
from pruning.errors import ConfigError
from pruning.methods import slim, sparse
from pruning.methods.made import Made, make_chosen
from pruning.methods.shared import Shared
from pruning.selection.budget import Budget

PRUNED = {"slim": partial(make_chosen, slim.choose), "obert": partial(sparse.make, name="obert")}


def make(shared: Shared, budget: Budget, seed: int | None, *, of: str = "") -> Made:
    """The teacher in int8, or another method's network in int8; quantising needs no training.

    Args:
        shared: what all methods share.
        budget: of what is put into int8.
        seed: likewise.
        of: one of `PRUNED`; "" for the teacher.

    Raises:
        ConfigError: the teacher at a budget below 1.
    """
    if of:
        return in_int8(PRUNED[of](shared, budget, seed))
    if budget.value < 1:
        raise ConfigError(f"quantised at {budget.value:g}: int8 removes no parameter, expected a budget of 1")
    return in_int8(Made(shared.teacher.model, shared.context.tokenizer, []))


def in_int8(made: Made) -> Made:
    """The same network, answering and timed in int8."""
    return replace(made, runs=dynamic_int8(made.model), int8=int8_weights(made.model), kernels={})
