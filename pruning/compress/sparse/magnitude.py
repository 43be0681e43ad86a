"""Magnitude: the smallest weights become zeros.

At once (Han et al. 2015, "Learning both weights and connections for efficient neural networks"), or gradually, each
matrix to the same density (Zhu and Gupta 2017, "To prune, or not to prune").
"""

from __future__ import annotations

from typing import Any

import torch

from pruning.compress.sparse.ranking import kept
from pruning.compress.sparse.sparsifier import InPlace, Texts
from pruning.compress.sparse.target import Ranking, Target


class Magnitude(InPlace):
    """See the module.

    Args:
        ranking: which matrices compete.
    """

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self.ranking: Ranking = ranking

    @torch.no_grad()
    def prune(self, network: Any, target: Target, density: float) -> None:
        """Keep the largest."""
        scores = {name: module.weight.abs() for name, module in target.matrices.items()}
        for name, mask in kept(scores, density, target.groups(self.ranking)).items():
            target.matrices[name].weight.mul_(mask)


def make(texts: Texts, ranking: Ranking = "global") -> Magnitude:
    """See `SparseMethod.sparsifier`; no text is read."""
    return Magnitude(ranking)
