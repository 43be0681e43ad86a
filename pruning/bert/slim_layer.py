"""The slim layer: one learnable importance factor per unit, and the penalties that drive factors towards zero.

Source of the method: SlimBERT (neural slimming). The gate sits on activations; nothing is removed here.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from pruning.bert.shapes import Site
from pruning.errors import ConfigError

PENALTIES = ("log", "l1", "l0")

LOG_SCALE = 8000.0  # SlimBERT's constant: the penalty is steep only where |alpha| is below about 0.01
# Hard-concrete gates (Louizos et al. 2018, "Learning sparse neural networks through L0 regularization").
L0_TEMPERATURE = 2.0 / 3.0
L0_STRETCH = (-0.1, 1.1)
L0_START = 3.0  # sigmoid(3) stretched is above 1, so the gate starts at exactly 1


class SlimLayer(nn.Module):
    """Multiply activations by one importance factor per unit: ``y[..., i] = alpha[i] * x[..., i]``.

    Penalties, each summed over units:

    - ``log`` (SlimBERT): ``1/2 * sum(log(1 + 8000 * alpha^2))``
    - ``l1``: ``sum(|alpha|)``
    - ``l0`` (hard concrete): expected number of gates that are not zero; `alpha` then holds the gates' log-odds, the
      gates are sampled while training and deterministic otherwise.

    Args:
        units: number of units at the site.
        site: where the layer sits (for reporting).
        penalty: one of `PENALTIES`.

    Shape:
        input ``(..., units)``, output the same.

    Raises:
        ConfigError: if the penalty is unknown.
    """

    mask: torch.Tensor | None

    def __init__(self, units: int, site: Site, penalty: str = "log") -> None:
        super().__init__()
        if penalty not in PENALTIES:
            raise ConfigError(f"penalty {penalty!r}: expected one of {', '.join(PENALTIES)}")
        self.site = site
        self.kind = penalty
        self.alpha = nn.Parameter(torch.full((units,), L0_START if penalty == "l0" else 1.0))
        # Set by `model.masked_copy` only: a reference network that acts as if masked units were gone.
        self.register_buffer("mask", None, persistent=False)

    def gate(self) -> torch.Tensor:
        """The multiplier of each unit, ``(units,)``; sampled while training under ``l0``."""
        if self.kind != "l0":
            gate = self.alpha
        else:
            low, high = L0_STRETCH
            if self.training:
                noise = torch.rand_like(self.alpha).clamp_(1e-6, 1 - 1e-6)
                open_share = torch.sigmoid((noise.logit() + self.alpha) / L0_TEMPERATURE)
            else:
                open_share = torch.sigmoid(self.alpha)
            gate = (open_share * (high - low) + low).clamp(0.0, 1.0)
        return gate if self.mask is None else gate * self.mask

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Scale each unit's activation by its factor."""
        return activations * self.gate()

    def penalty(self) -> torch.Tensor:
        """This layer's share of the loss, a scalar (before it is multiplied by lambda)."""
        if self.kind == "log":
            return 0.5 * torch.log1p(LOG_SCALE * self.alpha.square()).sum()
        if self.kind == "l1":
            return self.alpha.abs().sum()
        low, high = L0_STRETCH
        return torch.sigmoid(self.alpha - L0_TEMPERATURE * math.log(-low / high)).sum()

    @torch.no_grad()
    def factors(self) -> torch.Tensor:
        """The signed multipliers to fold into neighbouring weights, ``(units,)``, deterministic under ``l0``."""
        was_training = self.training
        self.train(False)
        factors = self.gate().detach().clone()
        self.train(was_training)
        return factors

    def extra_repr(self) -> str:
        """Site, units and penalty, for `print(model)`."""
        return f"{self.site}, units={self.alpha.numel()}, penalty={self.kind}"


def slim_layers(model: nn.Module) -> list[SlimLayer]:
    """All slim layers of a network, collected by type, in module order."""
    return [module for module in model.modules() if isinstance(module, SlimLayer)]


def slim_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The factors' parameters, for an optimiser group of their own."""
    return [layer.alpha for layer in slim_layers(model)]


def total_penalty(model: nn.Module) -> torch.Tensor:
    """Sum of all slim layers' penalties, a scalar."""
    layers = slim_layers(model)
    if not layers:
        raise ConfigError("slimming: the network has no slim layers; attach them first")
    return torch.stack([layer.penalty() for layer in layers]).sum()


@torch.no_grad()
def surviving_share(model: nn.Module, threshold: float = 0.05) -> float:
    """Share of units whose factor is above `threshold` in magnitude: "still alive" while slimming."""
    factors = torch.cat([layer.factors().abs() for layer in slim_layers(model)])
    return float((factors > threshold).float().mean())
