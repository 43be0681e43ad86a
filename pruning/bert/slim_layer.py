"""The slim layer: one learnable importance factor per unit, driven towards zero by a penalty.

Source of the method: SlimBERT (neural slimming). The gate sits on activations; nothing is removed here.
"""

from __future__ import annotations

import torch
from torch import nn

from pruning.bert.penalties import penalty_of
from pruning.bert.shapes import Site
from pruning.errors import ConfigError

SENSITIVITY_KEPT = 0.99  # of the moving average at each step, so that the last hundred or so count


class SlimLayer(nn.Module):
    """Multiply activations by one importance factor per unit: ``y[..., i] = alpha[i] * x[..., i]``.

    Args:
        units: number of units at the site.
        site: where the layer sits (for reporting).
        penalty: its name, see `penalties`; under ``l0`` `alpha` holds log-odds, and gates are sampled while training.

    Shape:
        input ``(..., units)``, output the same.

    Attributes:
        sensitivity: (units,) moving average of ``|alpha * dL/dalpha|``, see `record`; zeros until then.

    Raises:
        ConfigError: if the penalty is unknown.
    """

    mask: torch.Tensor | None
    sensitivity: torch.Tensor

    def __init__(self, units: int, site: Site, penalty: str = "log") -> None:
        super().__init__()
        kind = penalty_of(penalty)
        self.site = site
        self.kind = penalty
        self.alpha = nn.Parameter(torch.full((units,), kind.START))
        self.register_buffer("sensitivity", torch.zeros(units))
        # Set by `gates.masked_copy` only: a reference network that acts as if masked units were gone.
        self.register_buffer("mask", None, persistent=False)

    def gate(self) -> torch.Tensor:
        """The multiplier of each unit, ``(units,)``; sampled while training under ``l0``."""
        gate = penalty_of(self.kind).gate(self.alpha, self.training)
        return gate if self.mask is None else gate * self.mask

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Scale each unit's activation by its factor."""
        return activations * self.gate()

    def penalty(self) -> torch.Tensor:
        """This layer's share of the loss, a scalar (before it is multiplied by lambda)."""
        return penalty_of(self.kind).penalty(self.alpha)

    @torch.no_grad()
    def factors(self) -> torch.Tensor:
        """The signed multipliers to fold into neighbouring weights, ``(units,)``, deterministic under ``l0``."""
        was_training = self.training
        self.train(False)
        factors = self.gate().detach().clone()
        self.train(was_training)
        return factors

    @torch.no_grad()
    def record(self, gradient: torch.Tensor) -> None:
        """Move the average of sensitivity by one step.

        Args:
            gradient: (units,) of the loss without the penalty, by `alpha`. Under ``l0`` that is by log-odds, and the
                open gate's size stands for the factor's.
        """
        self.sensitivity.lerp_((self.factors() * gradient).abs(), 1 - SENSITIVITY_KEPT)

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


def record_sensitivity(model: nn.Module, penalty_weight: float) -> None:
    """Have each slim layer record how much the loss feels its factors; call it between backward pass and step.

    Args:
        model: its factors' gradients are of the whole loss; the penalty's share is taken off again.
        penalty_weight: lambda.
    """
    layers = slim_layers(model)
    if not layers:
        return
    with torch.enable_grad():
        shares = torch.autograd.grad(penalty_weight * total_penalty(model), [layer.alpha for layer in layers])
    for layer, share in zip(layers, shares, strict=True):
        if layer.alpha.grad is not None:
            layer.record(layer.alpha.grad - share)


@torch.no_grad()
def surviving_share(model: nn.Module, threshold: float = 0.05) -> float:
    """Share of units whose factor is above `threshold` in magnitude: "still alive" while slimming."""
    factors = torch.cat([layer.factors().abs() for layer in slim_layers(model)])
    return float((factors > threshold).float().mean())
