"""Gates on a BERT classifier's activations: slim layers attached, read and removed; the masked reference network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from pruning.bert.model import bert_shape, gate_points
from pruning.bert.shapes import Masks, Site
from pruning.bert.slim_layer import SlimLayer
from pruning.errors import ConfigError

HANDLES = "_slim_handles"  # attribute of the classifier that holds what `detach` has to remove


class GateInput:
    """Forward pre-hook: a gate on a module's first argument. A class, so that `copy.deepcopy` follows the gate."""

    def __init__(self, gate: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.gate = gate

    def __call__(self, module: nn.Module, args: tuple) -> tuple:
        """The module's arguments, the first one gated."""
        return (self.gate(args[0]), *args[1:])


class GateNorm:
    """Forward hook on a LayerNorm: the residual width's gate; under a mask, statistics run over the survivors."""

    def __init__(self, gate: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.gate = gate

    def __call__(self, module: Any, args: tuple, output: torch.Tensor) -> torch.Tensor:
        """The LayerNorm's output, gated."""
        mask = getattr(self.gate, "mask", None)
        if mask is None:
            return self.gate(output)
        kept = mask.bool()
        result = torch.zeros_like(output)
        if kept.any():
            weight, bias = module.weight[kept], module.bias[kept]
            survivors = functional.layer_norm(args[0][..., kept], (int(kept.sum()),), weight, bias, module.eps)
            result[..., kept] = survivors
        return self.gate(result)


def hook_gates(
    model: Any, gate_for: Callable[[Site, int | None], Callable[[torch.Tensor], torch.Tensor] | None]
) -> list[RemovableHandle]:
    """Hook a gate to every point for which `gate_for(site, layer)` gives one; returns the handles to remove."""
    handles = []
    for site, layer, module, kind in gate_points(model):
        gate = gate_for(site, layer)
        if gate is None:
            continue
        if kind == "norm":
            handles.append(module.register_forward_hook(GateNorm(gate)))
        else:
            handles.append(module.register_forward_pre_hook(GateInput(gate)))
    return handles


def attach(model: Any, *, sites: Iterable[Site] = tuple(Site), penalty: str = "log") -> Any:
    """Attach slim layers (all factors 1) in place, so that the network's function does not change.

    The slim layers are registered as ``model.slim`` (a `ModuleDict`), so they train, save and load with the network.

    Args:
        model: a `BertForSequenceClassification`.
        sites: where to attach; at least one.
        penalty: see `SlimLayer`.

    Raises:
        BackboneError: if the network is not a BERT classifier.
        ConfigError: if no site is given, or slim layers are attached already.
    """
    chosen = [Site(site) for site in sites]
    if not chosen:
        raise ConfigError("sites: none given, expected at least one of " + ", ".join(Site))
    if hasattr(model, HANDLES):
        raise ConfigError("slim layers are attached already; detach them first")
    shape = bert_shape(model)
    layers: dict[str, SlimLayer] = {}
    for site in Site:
        if site not in chosen:
            continue
        units = shape.units(site)
        for index in range(1 if site is Site.HIDDEN else shape.layers):
            layers[_key(site, index)] = SlimLayer(units[-1], site, penalty)
    # In the mode of the network: hard-concrete gates would otherwise be sampled in one that is not training.
    model.slim = nn.ModuleDict(layers).to(next(model.parameters()).device).train(model.training)

    def gate_for(site: Site, layer: int | None) -> SlimLayer | None:
        return layers[_key(site, layer or 0)] if site in chosen else None

    setattr(model, HANDLES, hook_gates(model, gate_for))
    return model


def _key(site: Site, index: int) -> str:
    return site.value if site is Site.HIDDEN else f"{site.value}_{index}"


def detach(model: Any) -> Any:
    """Remove slim layers in place; factors that are not 1 are lost (fold them first with `shrink.fold_factors`)."""
    for handle in getattr(model, HANDLES, []):
        handle.remove()
    if hasattr(model, HANDLES):
        delattr(model, HANDLES)
        del model.slim
    return model


def read_factors(model: Any) -> dict[Site, torch.Tensor]:
    """Signed factors per attached site: ``(units,)`` for `hidden`, ``(layers, units)`` for the others; none without."""
    return _by_site(model, lambda layer: layer.factors())


def read_sensitivity(model: Any) -> dict[Site, torch.Tensor]:
    """What slim layers recorded while slimming, shaped as `read_factors`."""
    return _by_site(model, lambda layer: layer.sensitivity)


def _by_site(model: Any, read: Callable[[SlimLayer], torch.Tensor]) -> dict[Site, torch.Tensor]:
    slim = getattr(model, "slim", {})
    found: dict[Site, torch.Tensor] = {}
    for site in Site:
        layers = [key for key in slim if key == site.value or key.rsplit("_", 1)[0] == site.value]
        if not layers:
            continue
        values = [read(slim[_key(site, index)]) for index in range(len(layers))]
        found[site] = values[0] if site is Site.HIDDEN else torch.stack(values)
    return found


def masked_copy(model: Any, masks: Masks) -> Any:
    """A copy that acts as if masked units were gone: the reference that `shrink` is checked against.

    Masked activations are zero, and LayerNorm runs over the surviving residual units only. Factors, where slim layers
    are attached, stay in force; elsewhere they are 1.
    """
    masks.check(bert_shape(model))
    reference = copy.deepcopy(model)
    if not hasattr(reference, HANDLES):
        attach(reference)
    elif len({layer.site for layer in reference.slim.values()}) < len(Site):
        raise ConfigError("masked_copy: slim layers must be attached at all sites, or at none")
    for key, layer in reference.slim.items():
        mask = masks[layer.site]
        if layer.site is not Site.HIDDEN:
            mask = mask[int(key.rsplit("_", 1)[1])]
        layer.mask = torch.as_tensor(mask, dtype=layer.alpha.dtype, device=layer.alpha.device)
    return reference.eval()
