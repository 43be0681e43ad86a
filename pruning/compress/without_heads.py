"""Whole heads taken out of a network that runs: a smaller network beside it, which shares every weight that stays."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch

from pruning.errors import SelectionError
from pruning.slimbert import SlimBertForSequenceClassification, shape_of

Head = tuple[int, int]  # layer and head as the uncut network numbers them, from 0


def without_heads(model: SlimBertForSequenceClassification, cut: Collection[Head]) -> SlimBertForSequenceClassification:
    """A network without some heads: their rows and columns are gone, which saves their time; nothing is trained.

    Law: its logits are those of `model` with these heads' gates closed (`head_gates`), so what a layer that loses its
    last head still adds is the bias of its output matrix. `model` stays as it is; only the matrices of layers that lose
    a head are copied.

    Args:
        model: a slim network, or a dense one (`slimbert.dense_from_bert`).
        cut: heads that it has.

    Raises:
        SelectionError: if it has no such head.
    """
    config: Any = copy.deepcopy(model.config)
    stored: list[list[int]] = config.kept_heads or []
    kept = [list(heads) for heads in stored]
    for layer, head in sorted(set(cut)):
        if not 0 <= layer < len(kept) or head not in kept[layer]:
            raise SelectionError(f"layer {layer}, head {head}: not in this network, expected a head that it has")
        kept[layer].remove(head)
    state: dict[str, torch.Tensor] = dict(model.state_dict())
    shapes = list(shape_of(config).layers)
    for layer, (heads, before) in enumerate(zip(kept, stored, strict=True)):
        if heads == before:
            continue
        prefix, shape = f"slimbert.layers.{layer}.attention", shapes[layer]
        places = torch.tensor([place for place, head in enumerate(before) if head in heads], dtype=torch.long)
        state |= _cut_attention(state, prefix, places, shape.heads, (config.head_size, shape.value_width))
        shapes[layer] = replace(shape, heads=len(heads))
        if not heads:
            for name in ("projection.weight", "projection.bias", "output.weight", "reads"):
                state.pop(f"{prefix}.{name}", None)
            shapes[layer] = replace(shape, heads=0, value_width=0, attention_reads=0)
    config.layers, config.kept_heads = [asdict(shape) for shape in shapes], kept
    with torch.device("meta"):  # no initial weights that would only be overwritten
        smaller = SlimBertForSequenceClassification(config)
    smaller.load_state_dict(state, assign=True)
    return smaller.eval()


def _cut_attention(
    state: Mapping[str, Any], prefix: str, places: torch.Tensor, heads: int, widths: tuple[int, int]
) -> dict[str, torch.Tensor]:
    """A layer's projection (queries of all heads, then keys, then values) and output matrix with some heads alone.

    Args:
        state: the network's tensors by name.
        prefix: of this layer's names.
        places: of the heads that stay, among those stored.
        heads: how many are stored.
        widths: of a head's query or key, and of its value.
    """
    size, value_width = widths
    weight = state[f"{prefix}.projection.weight"]
    numbers = torch.arange(len(weight), device=weight.device)
    query, key, value = numbers.split((heads * size, heads * size, heads * value_width))
    places = places.to(weight.device)
    rows = torch.cat([part.view(heads, -1)[places].flatten() for part in (query, key, value)])
    columns = numbers[: heads * value_width].view(heads, -1)[places].flatten()
    return {
        f"{prefix}.projection.weight": weight[rows],
        f"{prefix}.projection.bias": state[f"{prefix}.projection.bias"][rows],
        f"{prefix}.output.weight": state[f"{prefix}.output.weight"][:, columns],
    }
