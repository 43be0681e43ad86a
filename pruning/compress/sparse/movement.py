"""Movement pruning: weights that training moves away from zero stay.

Sanh et al. 2020 ("Movement Pruning: Adaptive Sparsity by Fine-Tuning"). Each weight w has a score s, 0 at first, that
is trained with it. The network computes with ``w * m``, m = 1 for the highest scores and 0 for others; the gradient
passes m as if it were s (straight-through), ``dL/ds = dL/d(wm) * w``, so that s falls where w moves towards zero. What
is at zero now may come back. "uniform" takes the highest of each matrix (the paper's hard variant), "global" the
highest of all layers together, as one threshold does in its soft variant; that threshold is set by the budget here, not
by a penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from pruning.compress.sparse.ranking import kept
from pruning.compress.sparse.sparsifier import Sparsifier, Texts
from pruning.compress.sparse.target import Ranking, Target

SCORE_RATE = 1e-2  # peak learning rate of scores, the paper's; they are not decayed


class _StraightThrough(torch.autograd.Function):
    """``weight * mask`` whose gradient by the scores is the one by the mask."""

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(weight, mask)
        return weight * mask

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        weight, mask = ctx.saved_tensors
        return gradient * mask, gradient * weight, None


class Scores(nn.Module):
    """A matrix's scores, as torch's parametrization of its weight.

    Shape:
        weight (out, in) -> the same, with zeros.
    """

    mask: torch.Tensor

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros_like(weight))
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool), persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight that the network computes with."""
        return _StraightThrough.apply(weight, self.scores, self.mask)  # pyright: ignore[reportReturnType]


def score_parameters(network: nn.Module) -> list[nn.Parameter]:
    """All scores of a network, for an optimiser group of their own."""
    return [module.scores for module in network.modules() if isinstance(module, Scores)]


class Movement(Sparsifier):
    """See the module.

    Args:
        ranking: which matrices compete.
    """

    learns = True
    constants: ClassVar[Mapping[str, float]] = {"score rate": SCORE_RATE}

    def __init__(self, ranking: Ranking) -> None:
        self.ranking: Ranking = ranking
        self._scores: dict[str, Scores] = {}

    def attach(self, target: Target) -> None:
        """Give every weight a score."""
        for name, module in target.matrices.items():
            self._scores[name] = Scores(module.weight)
            parametrize.register_parametrization(module, "weight", self._scores[name])

    @torch.no_grad()
    def prune(self, network: Any, target: Target, density: float) -> None:
        """Keep those of the highest scores, for now."""
        scores = {name: one.scores for name, one in self._scores.items()}
        for name, mask in kept(scores, density, target.groups(self.ranking)).items():
            self._scores[name].mask = mask

    def before_update(self) -> None:
        """Weights and scores are trained freely."""

    def after_update(self) -> None:
        """Weights and scores are trained freely."""

    def detach(self, network: Any, target: Target) -> None:
        """Choose by the last scores, and set zeros for good."""
        self.prune(network, target, target.density)
        for module in target.matrices.values():
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
        self._scores = {}


def make(texts: Texts, ranking: Ranking = "uniform") -> Movement:
    """See `SparseMethod.sparsifier`; scores learn from whatever the network is trained on."""
    return Movement(ranking)
