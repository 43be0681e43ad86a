"""What every way to choose zeros has in common, and how zeros are kept while a network trains."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.target import Target
from pruning.data import Encoded


@dataclass(frozen=True)
class Texts:
    """What gradients are taken on.

    Attributes:
        encoded: training texts; labels are not read.
        is_regression: whether the network answers with a score.
        seed: of the texts drawn.
    """

    encoded: Encoded
    is_regression: bool
    seed: int


class Sparsifier(ABC):
    """A way to choose zeros.

    Attributes:
        learns: whether the choice follows from what training changes at each step, and is made anew after each; else
            it is made from the weights when the schedule says so, and a zero stays one.
        constants: name -> number of this code that the choice depends on; part of a stage's identity.
    """

    learns = False
    constants: ClassVar[Mapping[str, float]] = {}

    @abstractmethod
    def prune(self, network: Any, target: Target, density: float) -> None:
        """Leave this share of the target's weights, and set the others to zero.

        Args:
            network: in whatever state training has brought it to; weights of zero are gone already.
            target: its matrices.
            density: of each group; not above any earlier one where a zero stays one.
        """

    @abstractmethod
    def attach(self, target: Target) -> None:
        """Before training: whatever has to be among the network's parameters or be told their gradients."""

    @abstractmethod
    def before_update(self) -> None:
        """Before an optimiser's step."""

    @abstractmethod
    def after_update(self) -> None:
        """After an optimiser's step."""

    @abstractmethod
    def detach(self, network: Any, target: Target) -> None:
        """After training: a plain network, with the target's zeros."""


class InPlace(Sparsifier):
    """Zeros that are set in the weights themselves: from then on a zero stays one.

    Nothing but the weights says which those are, so whoever goes on from stored weights goes on with their zeros.
    """

    def __init__(self) -> None:
        self._weights: list[torch.Tensor] = []
        self._masks: list[torch.Tensor] = []
        self._hooks: list[Any] = []

    def attach(self, target: Target) -> None:
        """Take no gradient at zeros, so that they have no part in the norm that gradients are clipped by."""
        self._weights = [module.weight for module in target.matrices.values()]
        self._hooks = [weight.register_hook(_Held(weight)) for weight in self._weights]

    @torch.no_grad()
    def before_update(self) -> None:
        """Note where the zeros are."""
        self._masks = [weight != 0 for weight in self._weights]

    @torch.no_grad()
    def after_update(self) -> None:
        """Zeros again, whatever the optimiser's momentum made of them."""
        for weight, mask in zip(self._weights, self._masks, strict=True):
            weight.mul_(mask)

    def detach(self, network: Any, target: Target) -> None:
        """Gradients are whole again; the zeros are there."""
        for hook in self._hooks:
            hook.remove()
        self._weights, self._masks, self._hooks = [], [], []


class _Held:
    """Gradient hook of a weight: nothing where it is zero."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def __call__(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * (self.weight.detach() != 0)


def make_sparse(network: Any, sparsifier: Sparsifier, target: Target, schedule: Schedule) -> None:
    """Make a network sparse in place without training it, as often as the schedule would have it."""
    for density in schedule.densities(target.density):
        sparsifier.prune(network, target, density)
