"""Slim networks built from plain tensors, dense or cut."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, LayerShape
from pruning.bert.weights import AttentionWeights, BertWeights, Linear
from pruning.slimbert.config import SlimBertConfig
from pruning.slimbert.network import SlimBertForSequenceClassification


def _padded_attention(attention: AttentionWeights, value_width: int) -> tuple[Linear, torch.Tensor]:
    """The fused projection and the output matrix, each head's context padded with zeros to the layer's widest."""
    heads = len(attention.heads)
    rows, bias = attention.value
    value = rows.new_zeros(heads * value_width, rows.shape[1])
    value_bias = bias.new_zeros(heads * value_width)
    output = attention.output[0].new_zeros(attention.output[0].shape[0], heads * value_width)
    start = 0
    for head, units in enumerate(attention.context):
        source, target = slice(start, start + units), slice(head * value_width, head * value_width + units)
        value[target], value_bias[target] = rows[source], bias[source]
        output[:, target] = attention.output[0][:, source]
        start += units
    weight = torch.cat([attention.query[0], attention.key[0], value])
    return (weight, torch.cat([attention.query[1], attention.key[1], value_bias])), output


def from_weights(
    weights: BertWeights, *, id2label: dict[int, str], problem_type: str, original: BertShape
) -> SlimBertForSequenceClassification:
    """Build the network that runs from plain tensors, in eval mode.

    Args:
        weights: dense or cut; empty sub-layers as `shrink.drop_empty` leaves them.
        id2label: label words.
        problem_type: "single_label_classification" or "regression".
        original: the dense network's widths.
    """
    hidden = weights.positions.shape[1]
    state: dict[str, torch.Tensor] = {}

    def put(name: str, linear: Linear) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = linear

    layers = []
    for index, (attention, ffn) in enumerate(weights.layers):
        prefix = f"slimbert.layers.{index}"
        heads, units = len(attention.heads), ffn.inner[0].shape[0]
        layer = LayerShape(
            heads=heads,
            value_width=max(attention.context, default=0),
            attention_reads=attention.query[0].shape[1] if heads else 0,
            ffn=units,
            ffn_reads=ffn.inner[0].shape[1] if units else 0,
        )
        layers.append(asdict(layer))
        state[f"{prefix}.attention.output.bias"] = attention.output[1]
        state[f"{prefix}.ffn.outer.bias"] = ffn.outer[1]
        put(f"{prefix}.attention.norm", attention.norm)
        put(f"{prefix}.ffn.norm", ffn.norm)
        if heads:
            projection, state[f"{prefix}.attention.output.weight"] = _padded_attention(attention, layer.value_width)
            put(f"{prefix}.attention.projection", projection)
            if attention.reads is not None:
                state[f"{prefix}.attention.reads"] = attention.reads.to(torch.int32)
        if units:
            put(f"{prefix}.ffn.inner", ffn.inner)
            state[f"{prefix}.ffn.outer.weight"] = ffn.outer[0]
            if ffn.reads is not None:
                state[f"{prefix}.ffn.reads"] = ffn.reads.to(torch.int32)
    state["slimbert.embeddings.words.weight"] = weights.words
    state["slimbert.embeddings.positions.weight"] = weights.positions
    state["slimbert.embeddings.token_types.weight"] = weights.token_types
    if weights.words_projection is not None:
        state["slimbert.embeddings.projection.weight"] = weights.words_projection
    put("slimbert.embeddings.norm", weights.norm)
    put("slimbert.pooler", weights.pooler)
    put("classifier", weights.classifier)
    config = SlimBertConfig(
        vocab_size=weights.words.shape[0],
        rank=None if weights.words_projection is None else weights.words.shape[1],
        max_position_embeddings=weights.positions.shape[0],
        type_vocab_size=weights.token_types.shape[0],
        hidden_size=hidden,
        head_size=weights.head_size,
        layers=layers,
        kept_heads=[list(attention.heads) for attention, _ in weights.layers],
        pooler_size=weights.pooler[0].shape[0],
        hidden_act=weights.hidden_act,
        layer_norm_eps=weights.layer_norm_eps,
        original=asdict(original),
        id2label=dict(id2label),
        label2id={label: number for number, label in id2label.items()},
        problem_type=problem_type,  # pyright: ignore[reportArgumentType]
    )
    with torch.device("meta"):  # no initial weights that would only be overwritten
        model = SlimBertForSequenceClassification(config)
    model.load_state_dict({name: tensor.detach().clone() for name, tensor in state.items()}, assign=True)
    return model.eval()


def dense_from_bert(model: Any) -> SlimBertForSequenceClassification:
    """A `BertForSequenceClassification` as a slim network in which nothing is cut."""
    return from_bert(model, read_weights(model))


def from_bert(model: Any, weights: BertWeights) -> SlimBertForSequenceClassification:
    """What a `BertForSequenceClassification`'s weights have become as a slim network, with its label words."""
    config = model.config
    problem = config.problem_type or ("regression" if config.num_labels == 1 else "single_label_classification")
    return from_weights(weights, id2label=config.id2label, problem_type=problem, original=bert_shape(model))
