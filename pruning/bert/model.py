"""A BERT classifier's widths, weights and places for gates: the only file that knows HF attribute paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from pruning.bert.counts import Component
from pruning.bert.shapes import BertShape, Site
from pruning.bert.weights import AttentionWeights, BertWeights, FfnWeights, Linear
from pruning.errors import BackboneError


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
    return configured_shape(bert.config, pooler=bert.pooler.dense.out_features, labels=model.classifier.out_features)


def configured_shape(config: Any, *, pooler: int, labels: int) -> BertShape:
    """Widths as a BERT's configuration names them; it says nothing of the pooler and the classifier."""
    return BertShape(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        head_size=config.hidden_size // config.num_attention_heads,
        hidden=config.hidden_size,
        ffn=config.intermediate_size,
        vocabulary=config.vocab_size,
        positions=config.max_position_embeddings,
        token_types=config.type_vocab_size,
        pooler=pooler,
        labels=labels,
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


def output_matrices(model: Any) -> Iterator[tuple[Site, int, nn.Linear]]:
    """The matrix that reads each layer's context and FFN units: site, layer number, module."""
    for index, layer in enumerate(_bert(model).encoder.layer):
        yield Site.ATTENTION_CONTEXT, index, layer.attention.output.dense
        yield Site.FFN_HIDDEN, index, layer.output.dense


def component_calls(model: Any) -> Iterator[tuple[Component, int, nn.Module, str]]:
    """Methods whose time is a component's: it is added (1), or taken off (-1) because it lies within and is another's.

    Positions, segments and the embeddings' LayerNorm are one here, under POSITIONS.
    """
    bert = _bert(model)
    words = bert.embeddings.word_embeddings
    yield Component.WORDS, 1, words, "forward"
    yield Component.POSITIONS, 1, bert.embeddings, "forward"
    yield Component.POSITIONS, -1, words, "forward"
    for layer in bert.encoder.layer:
        attention = layer.attention.self
        yield Component.ATTENTION_LINEAR, 1, layer.attention, "forward"
        yield Component.ATTENTION_LINEAR, -1, attention, "forward"
        yield Component.ATTENTION, 1, attention, "forward"
        for matrix in (attention.query, attention.key, attention.value):
            yield Component.ATTENTION_LINEAR, 1, matrix, "forward"
            yield Component.ATTENTION, -1, matrix, "forward"
        yield Component.FFN, 1, layer.intermediate, "forward"
        yield Component.FFN, 1, layer.output, "forward"
    yield Component.POOLER, 1, bert.pooler, "forward"
    yield Component.HEAD, 1, model.classifier, "forward"


@torch.no_grad()
def read_weights(model: Any) -> BertWeights:
    """Copy a `BertForSequenceClassification`'s weights into plain tensors (factors are not folded)."""
    bert = _bert(model)
    config = bert.config
    shape = bert_shape(model)

    def linear(module: nn.Linear) -> Linear:
        weight, bias = module.weight.detach().clone(), module.bias
        return weight, weight.new_zeros(len(weight)) if bias is None else bias.detach().clone()

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


def classifier(model: Any) -> nn.Linear:
    """The last layer, from pooled states to logits."""
    return model.classifier
