"""The Optimal BERT Surgeon: weights that the loss misses least become zeros, and those that stay make up for them.

Kurtic et al. 2022 ("The Optimal BERT Surgeon: Scalable and Accurate Second-Order Pruning for Large Language Models").
With F the Fisher information (see `fisher`), weight i costs ``w_i^2 / (2 inv(F)_ii)``, a group of weights Q
``w_Q' inv(inv(F)_QQ) w_Q / 2``; when all of Q go, the others move by ``-inv(F)_:Q inv(inv(F)_QQ) w_Q``. The authors add
up the moves of single weights; here a block's are solved together, which is what the formula says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from pruning.compress.sparse.fisher import BLOCK, EXAMPLES, PIECE, InverseFisher, gradients, inverse_fisher
from pruning.compress.sparse.ranking import kept
from pruning.compress.sparse.sparsifier import InPlace, Texts
from pruning.compress.sparse.target import Matrices, Target
from pruning.errors import SelectionError

DAMPING = 0.1  # of the mean squared gradient of all weights
HELD_BYTES = 6_000_000_000  # of inverses at once; where all take more, each is computed twice


class Obert(InPlace):
    """See the module.

    Args:
        texts: that gradients are taken on.
        together: weights in a row that stay or go as one.
    """

    constants: ClassVar[Mapping[str, float]] = {"block": BLOCK, "examples": EXAMPLES, "damping": DAMPING}

    def __init__(self, texts: Texts, together: int) -> None:
        super().__init__()
        if together < 1 or BLOCK % together:
            raise SelectionError(f"{together} weights together: expected a number that {BLOCK} is a multiple of")
        self.texts, self.together = texts, together

    @torch.no_grad()
    def prune(self, network: Any, target: Target, density: float) -> None:
        """Take gradients, keep what costs most, correct what stays."""
        for name, module in target.matrices.items():
            columns = module.weight.shape[1]
            if columns % self.together:
                raise SelectionError(f"{name}: has {columns} columns, expected a multiple of {self.together}")
        damping = DAMPING * self._mean_square(network, target.matrices)
        chunks = list(_chunks(target.matrices))
        inverses: dict[str, InverseFisher] = {}
        costs: dict[str, torch.Tensor] = {}
        for chunk in chunks:
            inverses.clear()
            inverses = inverse_fisher(network, chunk, self.texts, damping)
            for name, inverse in inverses.items():
                costs[name] = saliency(chunk[name].weight, inverse, self.together)
        masks = kept(costs, density, target.groups("global"))
        moved: dict[str, torch.Tensor] = {}
        for chunk in chunks:  # all gradients are of the network as it was
            if len(chunks) > 1:
                inverses.clear()
                inverses = inverse_fisher(network, chunk, self.texts, damping)
            for name, module in chunk.items():
                stays = masks[name].repeat_interleave(self.together).view(module.weight.shape)
                moved[name] = corrected(module.weight, inverses[name], stays)
        for name, weight in moved.items():
            target.matrices[name].weight.copy_(weight)

    def _mean_square(self, network: Any, matrices: Matrices) -> float:
        """Of the first gradients, over all weights that are left."""
        first = next(gradients(network, matrices, self.texts))
        squares = sum(float(own.square().sum()) / len(own) for own in first.values())
        left = sum(int(torch.count_nonzero(module.weight)) for module in matrices.values())
        return max(squares / max(1, left), 1e-20)


def _chunks(matrices: Matrices) -> list[Matrices]:
    """Matrices whose inverses are held together."""
    chunks: list[Matrices] = []
    room = 0
    for name, module in matrices.items():
        size = 4 * BLOCK * module.weight.numel()
        if not chunks or size > room:
            chunks.append({})
            room = HELD_BYTES
        chunks[-1][name] = module
        room -= size
    return chunks


def saliency(weight: torch.Tensor, inverse: InverseFisher, together: int = 1) -> torch.Tensor:
    """What each group of weights costs when it goes alone, (weights / together,)."""
    values = inverse.split(weight.flatten())
    if together == 1:
        return (values.square() / inverse.blocks.diagonal(dim1=1, dim2=2) / 2).flatten()[: weight.numel()]
    groups = inverse.blocks.shape[1] // together
    costs = []
    for group in range(groups):
        places = slice(group * together, (group + 1) * together)
        own = values[:, places]
        costs.append((torch.linalg.solve(inverse.blocks[:, places, places], own) * own).sum(-1) / 2)
    return torch.stack(costs, dim=1).flatten()[: math.ceil(weight.numel() / together)]


def corrected(weight: torch.Tensor, inverse: InverseFisher, stays: torch.Tensor) -> torch.Tensor:
    """A matrix with zeros where it does not stay, and the rest moved to where the loss is lowest with them."""
    values, gone = inverse.split(weight.flatten()), inverse.split(~stays.flatten())
    result = []
    for start in range(0, len(values), PIECE):
        part = slice(start, start + PIECE)
        blocks, own, away = inverse.blocks[part], values[part], gone[part]
        inside = blocks * (away[:, :, None] & away[:, None, :])
        inside.diagonal(dim1=1, dim2=2).add_((~away).to(inside))  # those that stay are no part of the equations
        found = torch.linalg.solve(inside, own * away)
        result.append((own - (blocks @ found[..., None])[..., 0]) * ~away)
    return torch.cat(result).flatten()[: weight.numel()].view(weight.shape)


def make(texts: Texts, together: int = 1) -> Obert:
    """See `SparseMethod.sparsifier`."""
    return Obert(texts, together)
