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
    for name, linear in encoder_linears(network).items():
        if nonzero(linear.weight) <= DENSEST * linear.weight.numel():
            network.set_submodule(name, SparseLinear(_compressed(linear.weight), linear.bias))
    return network


class SparseLinear(nn.Linear):
    """A linear layer of a sparse matrix.

    What such a layer puts out lies in memory column by column. Read so by the next one, torch (2.13) takes another way,
    which inference mode refuses: "Cannot set version_counter for inference tensor".

    Args:
        weight: (outputs, inputs), CSR.
        bias: (outputs,), or none.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias=False, device="meta")
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(texts, tokens, inputs) to (texts, tokens, outputs)."""
        return super().forward(input.contiguous())


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
