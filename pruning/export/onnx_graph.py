"""A slim network (or a dense one, which is a slim one with nothing cut) as an ONNX graph, written node by node.

Not by `torch.onnx`: of sst2's slim-10 and of its teacher, exported by torch 2.13 through TorchScript or through dynamo,
onnxruntime 1.32's `transformers.optimizer` and its own extended level fuse all 6 GELUs, but not one of 6 attentions.
Here each layer's attention is one `MultiHeadAttention`, which takes any number of heads and values of another width
than queries, so uneven heads and packed values are no obstacle; each activation is one node.

Tokens are rows, (batch * tokens, hidden), so that a linear layer with its bias is one `Gemm`. In three dimensions
onnxruntime would fuse residual addition and LayerNorm to `SkipLayerNormalization`, which takes it longer on a CPU than
the two nodes do. After the last attention only each text's first token goes on: nothing else is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from onnx import ModelProto, TensorProto, helper
from torch import nn

from pruning.errors import MeasureError, quoted
from pruning.export.onnx_nodes import CONTRIB, Graph
from pruning.slimbert import SlimBertForSequenceClassification
from pruning.slimbert.layers import SlimAttention, SlimBlock, SlimEmbeddings, SlimFfn
from pruning.version import VERSION

OPSET, IR_VERSION = 17, 8  # the first opset with LayerNormalization, and its file format
INPUTS, OUTPUT = ("input_ids", "attention_mask", "token_type_ids"), "logits"
TANH_GELUS = ("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate")
NOT_READ = float(np.finfo(np.float32).min)  # added to the scores of padding, as the network itself does


def _contrib(kind: str, **attributes: Any) -> Callable[[Graph, str], str]:
    return lambda graph, rows: graph.node(kind, rows, domain=CONTRIB, **attributes)


def _plain(kind: str) -> Callable[[Graph, str], str]:
    return lambda graph, rows: graph.node(kind, rows)


# Name in transformers -> its node; the others are not written.
ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    **dict.fromkeys(("gelu", "gelu_python"), _contrib("Gelu")),
    **dict.fromkeys(TANH_GELUS, _contrib("FastGelu")),
    **dict.fromkeys(("silu", "swish"), _contrib("QuickGelu", alpha=1.0)),  # x * sigmoid(alpha * x)
    "quick_gelu": _contrib("QuickGelu", alpha=1.702),
    "relu": _plain("Relu"),
    "sigmoid": _plain("Sigmoid"),
    "tanh": _plain("Tanh"),
}


def build_graph(network: SlimBertForSequenceClassification, *, is_int8: bool = False) -> ModelProto:
    """The graph of a slim network.

    Args:
        network: in float32, on the CPU.
        is_int8: whether linear layers compute in int8, and tables are stored so.

    Returns:
        A model that reads `INPUTS`, (batch, tokens) int64 each, and gives `OUTPUT`, (batch, labels) float32.

    Raises:
        MeasureError: the network has an activation that has no place here.
    """
    activation = network.config.hidden_act
    if activation not in ACTIVATIONS:
        expected = ", ".join(ACTIVATIONS)
        raise MeasureError(f"onnx: activation {quoted(activation)} cannot be written, expected one of {expected}")
    graph, bert = Graph(is_int8), network.slimbert
    hidden = _embeddings(graph, bert.embeddings)
    mask = graph.node("Cast", "attention_mask", to=TensorProto.INT32)
    layers = [cast(SlimBlock, layer) for layer in bert.layers]
    last = max((index for index, layer in enumerate(layers) if layer.attention.heads), default=-1)
    if last < 0:
        hidden = _first_tokens(graph, hidden, network.config.hidden_size)
    for index, layer in enumerate(layers):
        hidden = _attention(graph, layer.attention, hidden, mask, only_first=index == last)
        hidden = _ffn(graph, layer.ffn, hidden, ACTIVATIONS[activation])
    pooled = graph.node("Tanh", graph.linear(hidden, bert.pooler.weight, bert.pooler.bias))
    classifier = network.classifier
    weights = (graph.constant(classifier.weight), graph.constant(classifier.bias))
    graph.node("Gemm", pooled, *weights, outputs=(OUTPUT,), transB=1)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in INPUTS]
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", classifier.out_features])
    return helper.make_model(
        helper.make_graph(graph.nodes, "slimbert", inputs, [output], graph.initialisers()),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
        ir_version=IR_VERSION,
        producer_name="SlimViz",
        producer_version=VERSION,
    )


def _embeddings(graph: Graph, layer: SlimEmbeddings) -> str:
    """Words, positions and token types, (batch * tokens, hidden)."""
    words, types = layer.words, layer.token_types
    rows = graph.table(words.weight, lambda table: graph.node("Gather", table, "input_ids"))
    rows = graph.reshape(rows, -1, words.embedding_dim)
    if layer.projection is not None:
        rows = graph.linear(rows, layer.projection.weight, None)
    zero, tokens = graph.numbers(0), graph.node("Shape", "input_ids", start=1, end=2)
    positions = graph.table(layer.positions.weight, lambda table: graph.node("Slice", table, zero, tokens, zero))
    segments = graph.node("Gather", graph.constant(types.weight), "token_type_ids")
    others = graph.reshape(graph.node("Add", segments, positions), -1, types.embedding_dim)
    return graph.norm(graph.node("Add", rows, others), layer.norm)


def _attention(graph: Graph, layer: SlimAttention, hidden: str, mask: str, *, only_first: bool) -> str:
    """Rows of all tokens -> rows of all tokens, or of each text's first one alone."""
    if not layer.heads:
        return _constant_added(graph, layer, hidden)
    read = _read(graph, layer, hidden)
    asked, width = read, layer.heads * layer.head_size
    values = layer.heads * layer.value_width
    if only_first:
        hidden = _first_tokens(graph, hidden, layer.norm.normalized_shape[0])
        asked = _read(graph, layer, hidden)
    weights, biases = layer.projection.weight, layer.projection.bias
    query, key, value = (
        graph.linear(rows, weights[start:end], biases[start:end])
        for rows, start, end in (
            (asked, 0, width),
            (read, width, 2 * width),
            (read, 2 * width, 2 * width + values),
        )
    )
    context = graph.node(
        "MultiHeadAttention",
        graph.reshape(query, -1, 1, width) if only_first else _texts(graph, query, width),
        _texts(graph, key, width),
        _texts(graph, value, values),
        "",  # biases are added already
        mask,
        domain=CONTRIB,
        num_heads=layer.heads,
        scale=layer.scale,
        mask_filter_value=NOT_READ,
    )
    output = cast(nn.Linear, layer.output)
    rows = graph.linear(graph.reshape(context, -1, values), output.weight, output.bias)
    return graph.norm(graph.node("Add", rows, hidden), layer.norm)


def _ffn(graph: Graph, layer: SlimFfn, hidden: str, activation: Callable[[Graph, str], str]) -> str:
    """Rows -> as many rows."""
    if layer.is_empty:
        return _constant_added(graph, layer, hidden)
    inner = graph.linear(_read(graph, layer, hidden), layer.inner.weight, layer.inner.bias)
    outer = cast(nn.Linear, layer.outer)
    rows = graph.linear(activation(graph, inner), outer.weight, outer.bias)
    return graph.norm(graph.node("Add", rows, hidden), layer.norm)


def _constant_added(graph: Graph, layer: SlimAttention | SlimFfn, hidden: str) -> str:
    """What an empty sub-layer leaves: its bias, and the norm."""
    bias = (layer.output if isinstance(layer, SlimAttention) else layer.outer).bias
    return graph.norm(graph.node("Add", hidden, graph.constant(bias)), layer.norm)


def _read(graph: Graph, layer: SlimAttention | SlimFfn, hidden: str) -> str:
    """The units of the residual stream that a sub-layer reads."""
    if layer.reads is None:
        return hidden
    return graph.node("Gather", hidden, graph.numbers(*layer.reads.tolist()), axis=-1)


def _texts(graph: Graph, rows: str, width: int) -> str:
    """(batch * tokens, width) -> (batch, tokens, width)."""
    shape = graph.node("Concat", graph.node("Shape", "input_ids"), graph.numbers(width), axis=0)
    return graph.node("Reshape", rows, shape)


def _first_tokens(graph: Graph, rows: str, width: int) -> str:
    """(batch * tokens, width) -> (batch, width)."""
    return graph.node("Gather", _texts(graph, rows, width), graph.constant(np.array(0, dtype=np.int64)), axis=1)
