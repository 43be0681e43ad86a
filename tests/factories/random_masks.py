"""Random masks, and slim layers with a factor of its own for each unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from pruning.bert.gates import read_factors
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.slim_layer import slim_layers


def random_masks(shape: BertShape, keep: float | Mapping[Site, float], seed: int = 0) -> Masks:
    """Keep a share of the units, one for all sites or one for each."""
    shares = keep if isinstance(keep, Mapping) else dict.fromkeys(Site, keep)
    generator = np.random.default_rng(seed)
    return Masks(**{site.value: generator.random(shape.units(site)) < share for site, share in shares.items()})


def set_factors(model: nn.Module, seed: int = 0) -> dict[Site, torch.Tensor]:
    """Give every unit of the attached slim layers its own factor, some of them negative."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in slim_layers(model):
            layer.alpha.copy_(1 + 0.6 * torch.randn(layer.alpha.shape, generator=generator))
    return read_factors(model)
