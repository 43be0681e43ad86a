"""Attach slim layers to a BERT classifier, mask it, read its weights: the only file that knows HF attribute paths."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.slim_layer import SlimLayer
from pruning.bert.weights import AttentionWeights, BertWeights, FfnWeights, Linear
from pruning.errors import BackboneError, ConfigError

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


def _bert(model: Any) -> Any:
    bert = getattr(model, "bert", None)
    if bert is None or getattr(getattr(model, "config", None), "model_type", None) != "bert":
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        raise BackboneError(f"backbone of type {kind!r}: expected a BERT encoder (model_type 'bert')")
    return bert


def bert_shape(model: Any) -> BertShape:
    """Widths of a `BertForSequenceClassification`.

    Raises:
        BackboneError: if the network is not a BERT classifier.
    """
    bert = _bert(model)
    config = bert.config
    return BertShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        head_size=config.hidden_size // config.num_attention_heads,
        hidden=config.hidden_size,
        ffn=config.intermediate_size,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        token_types=config.type_vocab_size,
        pooler=bert.pooler.dense.out_features,
        labels=model.classifier.out_features,
    )


def gate_points(model: Any) -> Iterator[tuple[Site, int | None, nn.Module, str]]:
    """Every place that a gate is hooked to: site, layer number (None for `hidden`), module, "input" or "norm"."""
    bert = _bert(model)
    yield Site.HIDDEN, None, bert.embeddings.LayerNorm, "norm"
    for index, layer in enumerate(bert.encoder.layer):
        yield Site.ATTENTION_INPUT, index, layer.attention.self, "input"
        yield Site.ATTENTION_CONTEXT, index, layer.attention.output, "input"
        yield Site.HIDDEN, None, layer.attention.output.LayerNorm, "norm"
        yield Site.FFN_INPUT, index, layer.intermediate, "input"
        yield Site.FFN_HIDDEN, index, layer.output, "input"
        yield Site.HIDDEN, None, layer.output.LayerNorm, "norm"


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
    """Signed factors per attached site: ``(units,)`` for `hidden`, ``(layers, units)`` for the others."""
    slim = model.slim
    factors: dict[Site, torch.Tensor] = {}
    for site in Site:
        layers = [key for key in slim if key == site.value or key.rsplit("_", 1)[0] == site.value]
        if not layers:
            continue
        values = [slim[_key(site, index)].factors() for index in range(len(layers))]
        factors[site] = values[0] if site is Site.HIDDEN else torch.stack(values)
    return factors


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


@torch.no_grad()
def read_weights(model: Any) -> BertWeights:
    """Copy a `BertForSequenceClassification`'s weights into plain tensors (factors are not folded)."""
    bert = _bert(model)
    config = bert.config
    shape = bert_shape(model)

    def linear(module: nn.Linear) -> Linear:
        return module.weight.detach().clone(), module.bias.detach().clone()

    layers = []
    for layer in bert.encoder.layer:
        attention = layer.attention
        layers.append(
            (
                AttentionWeights(
                    query=linear(attention.self.query),
                    key=linear(attention.self.key),
                    value=linear(attention.self.value),
                    output=linear(attention.output.dense),
                    norm=linear(attention.output.LayerNorm),
                    heads=tuple(range(shape.heads)),
                    context=(shape.head_size,) * shape.heads,
                ),
                FfnWeights(
                    inner=linear(layer.intermediate.dense),
                    outer=linear(layer.output.dense),
                    norm=linear(layer.output.LayerNorm),
                ),
            )
        )
    embeddings = bert.embeddings
    return BertWeights(
        words=embeddings.word_embeddings.weight.detach().clone(),
        words_projection=None,
        positions=embeddings.position_embeddings.weight.detach().clone(),
        token_types=embeddings.token_type_embeddings.weight.detach().clone(),
        norm=linear(embeddings.LayerNorm),
        layers=tuple(layers),
        pooler=linear(bert.pooler.dense),
        classifier=linear(model.classifier),
        head_size=shape.head_size,
        layer_norm_eps=config.layer_norm_eps,
        hidden_act=config.hidden_act,
    )


def freeze_word_table(model: Any) -> None:
    """Stop training the word table: half of a small BERT, and of no use to what slimming decides."""
    _bert(model).embeddings.word_embeddings.weight.requires_grad_(False)


def word_table(model: Any) -> np.ndarray:
    """The word table, ``(vocabulary, hidden)``, float32."""
    return _bert(model).embeddings.word_embeddings.weight.detach().cpu().float().numpy()
