"""Matrix decomposition: every matrix of the layers as a product of two thinner ones.

Activation-aware: what is kept small is not the change of a matrix W but of what it puts out, |(W - W') x| over the x
that it reads in real texts (Chen et al. 2021, "DRONE"; Wang et al. 2024, "SVD-LLM"). With S = L L' the covariance of x,
the singular value decomposition ``W L = U s V'`` cut to rank r gives ``W' = U_r s_r V_r' inv(L)``, the best there is of
that rank; the bias takes over what changes in the mean. L is made of S's eigenvectors, not by Cholesky: what a norm
puts out lies in a plane, so that S hardly has an inverse. As in SVD-LLM, all matrices keep the same share of
parameters. (The word table reads one piece at a time, so its S is the frequency of pieces: see `low_rank`.)
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape
from pruning.data import Encoded, collate
from pruning.errors import SelectionError
from pruning.importance.gradients import INPUTS
from pruning.slimbert import SlimBertForSequenceClassification, encoder_linears, parameter_count

BATCH = 64
SMALLEST = 1e-6  # eigenvalue of S, as a share of their mean; smaller ones count as this, so that it can be inverted


def decomposed(
    network: SlimBertForSequenceClassification, encoded: Encoded, *, density: float
) -> SlimBertForSequenceClassification:
    """A network with all matrices of its layers decomposed.

    Args:
        network: in which every layer has all its units; left as it is.
        encoded: training texts, as it reads them.
        density: share of the teacher's parameters in layers that its layers may have.

    Returns:
        In eval mode. Each linear layer of the encoder is an `nn.Sequential` of two. Query, key and value, which read
        the same, are one matrix here, and their errors count relative to what each of them puts out.

    Raises:
        SelectionError: if ranks of 1 are more than `density`.
    """
    network = copy.deepcopy(network)
    moments = input_moments(network, encoded)
    linears = encoder_linears(network)
    in_matrices = sum(linear.weight.numel() for linear in linears.values())
    whole = count_parameters(BertShape(**(network.config.original or {})).network()).encoder
    share = (density * whole - (parameter_count(network).encoder - in_matrices)) / in_matrices
    sizes = {name: (linear.out_features, linear.in_features) for name, linear in linears.items()}
    ranks = {name: int(share * rows * columns // (rows + columns)) for name, (rows, columns) in sizes.items()}
    if min(ranks.values()) < 1:
        raise SelectionError(f"encoder density {density:.2%}: leaves some matrix without a rank, expected more")
    for name, linear in linears.items():
        owner, _, attribute = name.rpartition(".")
        module = network.get_submodule(owner)
        thirds = _thirds(module) if attribute == "projection" else None
        setattr(module, attribute, thin(linear, ranks[name], *moments[name], parts=thirds))
    return network


def _thirds(attention: Any) -> tuple[int, ...]:
    """Rows of queries, keys and values in an attention's fused matrix."""
    width = attention.heads * attention.head_size
    return width, width, attention.heads * attention.value_width


@torch.no_grad()
def thin(
    linear: nn.Linear, rank: int, mean: torch.Tensor, covariance: torch.Tensor, *, parts: tuple[int, ...] | None = None
) -> nn.Sequential:
    """Two linear layers for one, which put out nearly the same on inputs of this mean and covariance.

    Args:
        linear: (out, in) with a bias.
        rank: between the two.
        mean: (in,) float64.
        covariance: (in, in) float64.
        parts: how many rows belong together; errors count relative to what each of these parts puts out.

    Returns:
        (rank, in) without a bias, then (out, rank) with one.
    """
    weight = linear.weight.double()
    variances, axes = torch.linalg.eigh(covariance)
    spread = variances.clamp_min(SMALLEST * float(variances.mean()) + 1e-12).sqrt()
    put_out = weight @ axes * spread
    sizes = list(parts or (len(weight),))
    scale = torch.cat([part.square().mean().sqrt().clamp_min(1e-12).expand(len(part)) for part in put_out.split(sizes)])
    left, values, right = torch.linalg.svd(put_out / scale[:, None], full_matrices=False)
    outer = scale[:, None] * left[:, :rank] * values[:rank].sqrt()
    inner = values[:rank].sqrt()[:, None] * right[:rank] / spread @ axes.T
    first, second = nn.Linear(weight.shape[1], rank, bias=False), nn.Linear(rank, weight.shape[0])
    first.weight.copy_(inner)
    second.weight.copy_(outer)
    second.bias.copy_(linear.bias + (weight - outer @ inner) @ mean)
    return nn.Sequential(first, second)


@torch.no_grad()
def input_moments(
    network: SlimBertForSequenceClassification, encoded: Encoded
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Mean (in,) and covariance (in, in), float64, of what each linear layer of the encoder reads at real tokens."""
    taps = {name: _Tap(linear) for name, linear in encoder_linears(network).items()}
    make_batch = collate(encoded, few_lengths=True)
    order = np.argsort(encoded.lengths, kind="stable")
    try:
        for start in range(0, len(order), BATCH):
            batch = make_batch(order[start : start + BATCH].tolist())
            for tap in taps.values():
                tap.real = batch["attention_mask"].bool()
            network(**{name: batch[name] for name in INPUTS})
    finally:
        for tap in taps.values():
            tap.handle.remove()
    return {name: tap.moments() for name, tap in taps.items()}


class _Tap:
    """Sums over what a linear layer reads, less the first batch's mean, for large squares drown small differences."""

    real: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        width = linear.in_features
        self.count = 0
        self.about: torch.Tensor | None = None
        self.total = torch.zeros(width, dtype=torch.float64)
        self.products = torch.zeros(width, width, dtype=torch.float64)
        self.handle = linear.register_forward_pre_hook(self)

    def __call__(self, module: nn.Module, args: tuple) -> None:
        rows = args[0][self.real]
        self.about = rows.mean(0) if self.about is None else self.about
        rows = rows - self.about
        self.count += len(rows)
        self.total += rows.sum(0, dtype=torch.float64)
        self.products += rows.T @ rows

    def moments(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and covariance."""
        mean = self.total / self.count
        covariance = self.products / self.count - torch.outer(mean, mean)
        return (mean if self.about is None else mean + self.about), covariance
