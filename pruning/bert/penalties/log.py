"""SlimBERT's penalty: ``1/2 * sum(log(1 + 8000 * alpha^2))``."""

from __future__ import annotations

import torch

START = 1.0
LOG_SCALE = 8000.0  # SlimBERT's constant: the penalty is steep only where |alpha| is below about 0.01


def gate(alpha: torch.Tensor, training: bool) -> torch.Tensor:
    """The factors themselves."""
    del training
    return alpha


def penalty(alpha: torch.Tensor) -> torch.Tensor:
    """See the module's first line."""
    return 0.5 * torch.log1p(LOG_SCALE * alpha.square()).sum()
