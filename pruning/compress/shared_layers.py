"""One set of layer weights for all layers, as in ALBERT, made from a network's layers.

Lan et al. 2020 ("ALBERT: A Lite BERT"): all layers share their weights. Here they are not trained from scratch: the
shared layer begins as the mean of all. It saves parameters and not one operation.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from pruning.slimbert import SlimBertForSequenceClassification


@torch.no_grad()
def tied(network: SlimBertForSequenceClassification) -> SlimBertForSequenceClassification:
    """A copy whose layers are one and the same: what they are on average.

    Args:
        network: whose layers are all of the same widths.
    """
    network = copy.deepcopy(network)
    blocks = list(network.slimbert.layers)
    for parameters in zip(*(block.parameters() for block in blocks), strict=True):
        parameters[0].copy_(torch.stack(parameters).mean(0))
    network.slimbert.layers = nn.ModuleList([blocks[0]] * len(blocks))
    return network
