"""Texts and networks that are made sparse."""

from __future__ import annotations

from typing import Any

from pruning.compress.sparse.sparsifier import Texts
from pruning.compress.sparse.target import Target, nonzero
from pruning.selection.budget import Budget
from tests.factories.small_training import make_encoded


def total(value: float) -> Budget:
    return Budget("total_density", value)


def encoder(value: float) -> Budget:
    return Budget("encoder_density", value)


def some_texts(rows: int = 24, seed: int = 0) -> Texts:
    return Texts(make_encoded(rows, seed), is_regression=False, seed=0)


def left(target: Target) -> dict[str, int]:
    """Weights that are not zero, by matrix."""
    return {name: nonzero(module.weight) for name, module in target.matrices.items()}


def weights(target: Target) -> dict[str, Any]:
    """Copies of the matrices."""
    return {name: module.weight.detach().clone() for name, module in target.matrices.items()}
