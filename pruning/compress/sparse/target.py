"""Which weights of a network may become zeros, and how many of them may stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape
from pruning.errors import SelectionError
from pruning.selection.budget import Budget
from pruning.slimbert import SlimBertForSequenceClassification, encoder_linears, parameter_count

Ranking = Literal["global", "uniform"]
Matrices = dict[str, nn.Linear | nn.Embedding]  # by the name of the module


@dataclass(frozen=True)
class Target:
    """Where a network may be sparse, and how sparse.

    Attributes:
        encoder: matrices of the layers.
        others: word and position table and the pooler, where the budget counts them.
        density: share of the weights of these that stays. Biases, norms and the classifier all stay.
    """

    encoder: Matrices
    others: Matrices
    density: float

    @property
    def matrices(self) -> Matrices:
        """All of them."""
        return self.encoder | self.others

    def groups(self, ranking: Ranking) -> list[tuple[str, ...]]:
        """Names of the matrices that compete with one another; each group keeps the same share.

        "uniform": each competes with itself. "global": those of the layers compete, and each other one with itself,
        for its weights are felt on another scale: a table's row is read by one piece in thousands.
        """
        alone = [(name,) for name in self.others]
        return [*((name,) for name in self.encoder), *alone] if ranking == "uniform" else [tuple(self.encoder), *alone]


def target_of(network: SlimBertForSequenceClassification, budget: Budget) -> Target:
    """What to make sparse, so that a network's non-zero parameters are the budget's share of its teacher's.

    Args:
        network: in which nothing is cut yet, or cut already: then it is made as much sparser as is left to do.
        budget: of "total_density" or "encoder_density".

    Raises:
        SelectionError: the budget is of another kind (zeros save no operations of a dense kernel), or what always stays
            is more than it allows.
    """
    if budget.kind not in ("total_density", "encoder_density"):
        raise SelectionError(f"budget {budget.name}: a sparse network has total_density or encoder_density, no other")
    model, is_total = network.slimbert, budget.kind == "total_density"
    encoder: Matrices = {**encoder_linears(network)}
    others: Matrices = {
        "slimbert.embeddings.words": model.embeddings.words,
        "slimbert.embeddings.positions": model.embeddings.positions,
        "slimbert.pooler": model.pooler,
    }
    target = Target(encoder, others if is_total else {}, 1.0)
    weights = sum(module.weight.numel() for module in target.matrices.values())
    own = parameter_count(network)
    original = count_parameters(BertShape(**(network.config.original or {})).network())
    stays, whole = (own.total, original.total) if is_total else (own.encoder, original.encoder)
    left = budget.value * whole - (stays - weights)
    if left < 1 or not weights:
        smallest = (stays - weights + 1) / whole
        raise SelectionError(f"budget {budget.name}: what is never pruned is more, expected at least {smallest:.2%}")
    return Target(target.encoder, target.others, min(1.0, left / weights))


def nonzero(tensor: torch.Tensor) -> int:
    """How many values are not 0; for `parameter_count`."""
    return int(torch.count_nonzero(tensor))
