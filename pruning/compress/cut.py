"""A network and a selection -> the small network: factors folded in, everything else cut away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pruning.bert.gates import read_factors
from pruning.bert.model import read_weights
from pruning.compress.shrink import shrink
from pruning.data import Task
from pruning.importance.factors import ImportanceFactors, piece_mass
from pruning.selection.select import Selection
from pruning.slimbert import from_weights


def shrunk_network(
    task: Task, uncut: Any, factors: ImportanceFactors, selection: Selection, general_share: float
) -> Any:
    """Fold a slimmed network's factors, cut everything that was not selected, and build the small network.

    Args:
        task: gives the labels their words.
        uncut: the slimmed network, or the teacher itself.
        factors: that the selection was made from.
        selection: what stays; layers behind those that its shape has go altogether.
        general_share: see `SelectionSettings`; weighs the pieces while the word table is factored.

    Returns:
        A `SlimBertForSequenceClassification` in eval mode, on the CPU.
    """
    weights = shrink(
        read_weights(uncut),
        factors.shape,
        selection.masks,
        factors=read_factors(uncut),
        pieces=selection.pieces,
        rank=selection.rank,
        frequencies=piece_mass(factors.pieces.counts, factors.pieces.protected, general_share),
        positions=selection.positions,
        pooler=selection.pooler,
    )
    labels = task.labels or ("score",)
    return from_weights(
        replace(weights, layers=weights.layers[: len(selection.shape.layers)]),
        id2label=dict(enumerate(labels)),
        problem_type="regression" if task.is_regression else "single_label_classification",
        original=factors.shape,
    ).eval()
