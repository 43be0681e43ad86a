"""Rivals: zeros in whole matrices, chosen weight by weight (see `compress.sparse`, which has their sources).

Every layer keeps all its units, and its matrices become sparse while they are trained as all methods are; the budget
counts parameters that are not zero. The word table and the pooler are the default method's, smaller and not sparse, for
the papers prune the layers alone and have no means for these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pruning.compress.sparse import sparse_method
from pruning.compress.sparse.kernel import with_sparse_kernel
from pruning.compress.sparse.sparsifier import Texts
from pruning.errors import MeasureError
from pruning.methods.made import Made, made_of
from pruning.methods.room import room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import cut_to, own_texts, retrain
from pruning.records import to_plain
from pruning.selection.budget import Budget
from pruning.slimbert import encoder_linears
from pruning.training.recover import Manner
from pruning.training.sparsity import Sparsity


def make(shared: Shared, budget: Budget, seed: int | None, name: str) -> Made:
    """All units, and as many weights of them as the budget leaves, by one of `SPARSE_METHODS`."""
    method, room = sparse_method(name), room_at(shared, budget)
    step = cut_to(shared, budget, room.selection(room.base))
    context = shared.context.with_seed(seed)
    texts = Texts(own_texts(context, step.cut), context.task.is_regression, context.seed)
    sparsifier = method.sparsifier(texts)
    manner = Manner(sparsity=Sparsity(sparsifier, method.schedule, room.for_layers(budget)))
    settings = {"schedule": to_plain(method.schedule), "options": method.options, "constants": sparsifier.constants}
    made = made_of(retrain(shared, step, seed, name, manner, settings))
    return replace(made, kernels=sparse_kernels(made.model))


def sparse_kernels(network: Any) -> dict[str, Any]:
    """The network on torch's sparse kernel, to be timed; nothing where there is none, or no matrix sparse enough."""
    try:
        compressed = with_sparse_kernel(network)
    except MeasureError:
        return {}
    is_sparse = any(linear.weight.is_sparse_csr for linear in encoder_linears(compressed).values())
    return {"csr": compressed} if is_sparse else {}
