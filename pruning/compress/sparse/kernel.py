"""A network whose layers compute with torch's sparse matrices (CSR), so that its milliseconds can be measured.

Whether that is faster than computing with the zeros is for the clock to say: a dense kernel is hard to beat.
"""

from __future__ import annotations

import copy
import warnings

import torch
from torch import nn

from pruning.compress.sparse.target import nonzero
from pruning.errors import MeasureError
from pruning.slimbert import SlimBertForSequenceClassification, encoder_linears

DENSEST = 0.5  # above it, nobody would store a matrix so


def with_sparse_kernel(network: SlimBertForSequenceClassification) -> SlimBertForSequenceClassification:
    """A copy whose layers' matrices are sparse where at most half of their weights are left; it answers the same.

    For measuring: it can be neither trained nor saved.

    Raises:
        MeasureError: if this torch has no sparse kernel here.
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    for linear in encoder_linears(network).values():
        if nonzero(linear.weight) <= DENSEST * linear.weight.numel():
            linear.weight = nn.Parameter(_compressed(linear.weight), requires_grad=False)
    return network


def _compressed(weight: torch.Tensor) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        try:
            compressed = weight.detach().to_sparse_csr()
            nn.functional.linear(weight.new_zeros(1, weight.shape[1]), compressed)
        except (RuntimeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise MeasureError(f"sparse kernel: torch {torch.__version__} has none here ({reason})") from None
    return compressed
