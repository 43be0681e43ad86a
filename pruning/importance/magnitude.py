"""Criterion: the size of the weights at a unit, those that write it times those that read it (L2 norms).

Magnitude pruning by structures (Li et al. 2017, "Pruning filters for efficient convnets"), as a baseline that looks at
no example. A network whose one matrix is doubled and the other halved is the same network, and so is the product.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruning.bert.model import read_weights
from pruning.bert.shapes import Site
from pruning.bert.weights import AttentionWeights, BertWeights, FfnWeights
from pruning.importance.factors import Importance


def importance(teacher: Any) -> Importance:
    """Norms of a network's weights; input reads are written elsewhere, so there it is what reads them alone."""
    weights = read_weights(teacher)
    per_layer = [_layer(attention, ffn) for attention, ffn in weights.layers]
    sites = {site: torch.stack([layer[site] for layer in per_layer]) for site in per_layer[0]}
    found = {Site.HIDDEN: _hidden(weights)} | sites
    return {site: found[site].cpu().numpy().astype(np.float32) for site in Site}


def _layer(attention: AttentionWeights, ffn: FfnWeights) -> dict[Site, torch.Tensor]:
    return {
        Site.ATTENTION_INPUT: _norm(attention.query[0], attention.key[0], attention.value[0]),
        Site.ATTENTION_CONTEXT: _norm(attention.value[0].T) * _norm(attention.output[0]),
        Site.FFN_INPUT: _norm(ffn.inner[0]),
        Site.FFN_HIDDEN: _norm(ffn.inner[0].T) * _norm(ffn.outer[0]),
    }


def _hidden(weights: BertWeights) -> torch.Tensor:
    writes = [weights.words, weights.positions, weights.token_types]
    reads = [weights.pooler[0]]
    for attention, ffn in weights.layers:
        writes += [attention.output[0].T, ffn.outer[0].T]
        reads += [attention.query[0], attention.key[0], attention.value[0], ffn.inner[0]]
    return _norm(*writes) * _norm(*reads)


def _norm(*matrices: torch.Tensor) -> torch.Tensor:
    """L2 norm of each column of matrices put below each other, (columns,) float32."""
    return torch.stack([matrix.float().square().sum(0) for matrix in matrices]).sum(0).sqrt()
