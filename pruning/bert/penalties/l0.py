"""Hard-concrete gates: the expected number of gates that are not zero (Louizos et al. 2018).

"Learning sparse neural networks through L0 regularization". `alpha` holds the gates' log-odds; gates are sampled while
training and deterministic otherwise.
"""

from __future__ import annotations

import math

import torch

START = 3.0  # sigmoid(3) stretched is above 1, so the gate starts at exactly 1
TEMPERATURE = 2.0 / 3.0
STRETCH = (-0.1, 1.1)


def gate(alpha: torch.Tensor, training: bool) -> torch.Tensor:
    """The stretched and clipped gate of each unit."""
    low, high = STRETCH
    if training:
        noise = torch.rand_like(alpha).clamp_(1e-6, 1 - 1e-6)
        open_share = torch.sigmoid((noise.logit() + alpha) / TEMPERATURE)
    else:
        open_share = torch.sigmoid(alpha)
    return (open_share * (high - low) + low).clamp(0.0, 1.0)


def penalty(alpha: torch.Tensor) -> torch.Tensor:
    """Sum over units of the probability that the gate is open."""
    low, high = STRETCH
    return torch.sigmoid(alpha - TEMPERATURE * math.log(-low / high)).sum()
