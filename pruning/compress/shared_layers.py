"""One set of layer weights for all layers, as in ALBERT, made from a teacher's layers.

Lan et al. 2020 ("ALBERT: A Lite BERT"): all layers share their weights, and the word table is factored. Here neither is
trained from scratch: the shared layer begins as the mean of the teacher's layers, or as one of them, and is distilled.
It saves parameters and not one operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from pruning.bert.counts import count_parameters, table_parameters
from pruning.bert.model import bert_shape, read_weights
from pruning.compress.low_rank import factor_table
from pruning.compress.shrink import cut_positions
from pruning.errors import SelectionError
from pruning.slimbert import SlimBertForSequenceClassification, from_bert, parameter_count


def shared(
    teacher: Any,
    *,
    density: float | None = None,
    frequencies: np.ndarray | None = None,
    positions: int | None = None,
    start: int | None = None,
) -> SlimBertForSequenceClassification:
    """A network whose layers are one and the same.

    Args:
        teacher: a `BertForSequenceClassification`; left as it is.
        density: share of the teacher's parameters that it may have; the word table is factored as far as that takes.
            None leaves the table whole.
        frequencies: (vocabulary,) how often each piece occurs, for the table's factors; None weighs all alike.
        positions: how many positions it keeps; None for all.
        start: number of the layer that the shared one begins as; None for the mean of all.

    Raises:
        SelectionError: if there is no such layer, or one layer and the smallest table are more than `density`.
    """
    weights, shape = read_weights(teacher), bert_shape(teacher)
    if start is not None and not 0 <= start < shape.layers:
        raise SelectionError(f"layer {start}: expected 0 to {shape.layers - 1}, the layer that a shared one begins as")
    if positions is not None:
        weights = cut_positions(weights, positions)
    network = tied(from_bert(teacher, weights), start)
    if density is None:
        return network
    whole, own = count_parameters(shape.network()).total, parameter_count(network).total
    table, rank_costs = shape.vocabulary * shape.hidden, table_parameters(shape.vocabulary, shape.hidden, 1)
    if own <= density * whole:
        return network
    rank = int((density * whole - (own - table)) // rank_costs)
    if rank < 1:
        smallest = (own - table + rank_costs) / whole
        raise SelectionError(f"total density {density:.2%}: one shared layer takes {smallest:.2%} at least")
    return tied(from_bert(teacher, factor_table(weights, min(rank, shape.hidden), frequencies)), start)


@torch.no_grad()
def tied(network: SlimBertForSequenceClassification, start: int | None) -> SlimBertForSequenceClassification:
    """Make all layers of a network one, in place: what they are on average, or one of them."""
    blocks = list(network.slimbert.layers)
    if start is None:
        for parameters in zip(*(block.parameters() for block in blocks), strict=True):
            parameters[0].copy_(torch.stack(parameters).mean(0))
    network.slimbert.layers = nn.ModuleList([blocks[start or 0]] * len(blocks))
    return network
