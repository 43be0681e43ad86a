"""What a network of given widths costs: parameters and floating-point operations (pure arithmetic).

The selection, the measurements and the dashboard all count here, so that they count alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from pruning.bert.shapes import LayerShape, NetworkShape

FLOP_LENGTH = 32  # tokens; the length at which FLOPs are compared


@dataclass(frozen=True)
class ParameterCount:
    """Stored parameters by component (padding included, index buffers not)."""

    embeddings: int
    encoder: int
    pooler: int
    head: int

    @property
    def total(self) -> int:
        """All stored parameters."""
        return self.embeddings + self.encoder + self.pooler + self.head


def table_parameters(vocabulary: int, hidden: int, rank: int | None) -> int:
    """Parameters of the word table alone: ``V x H``, or ``V x r + r x H`` when factored."""
    return vocabulary * hidden if rank is None else rank * (vocabulary + hidden)


def attention_parameters(layer: LayerShape, hidden: int, head_size: int) -> int:
    """Parameters of one attention sub-layer with its LayerNorm."""
    width = layer.heads * layer.value_width
    if width == 0:
        return 3 * hidden  # the constant output, LayerNorm weight and bias
    projections = (layer.attention_reads + 1) * layer.heads * (2 * head_size + layer.value_width)
    return projections + width * hidden + 3 * hidden


def ffn_parameters(layer: LayerShape, hidden: int) -> int:
    """Parameters of one FFN sub-layer with its LayerNorm."""
    if layer.ffn == 0:
        return 3 * hidden
    return (layer.ffn_reads + 1) * layer.ffn + layer.ffn * hidden + 3 * hidden


def count_parameters(shape: NetworkShape) -> ParameterCount:
    """Count a network's stored parameters from its widths (checked in tests against `numel` of what is saved)."""
    embeddings = table_parameters(shape.vocabulary, shape.hidden, shape.rank)
    embeddings += (shape.positions + shape.token_types + 2) * shape.hidden
    encoder = sum(
        attention_parameters(layer, shape.hidden, shape.head_size) + ffn_parameters(layer, shape.hidden)
        for layer in shape.layers
    )
    pooler = (shape.hidden + 1) * shape.pooler
    return ParameterCount(embeddings, encoder, pooler, (shape.pooler + 1) * shape.labels)


def count_flops(shape: NetworkShape, length: int) -> int:
    """Floating-point operations of one text of `length` tokens: 2 x multiply-adds of matrix products, nothing else."""
    per_token = shape.rank * shape.hidden if shape.rank is not None else 0
    for layer in shape.layers:
        width = layer.heads * layer.value_width
        if width:
            per_token += layer.attention_reads * layer.heads * (2 * shape.head_size + layer.value_width)
            per_token += length * layer.heads * (shape.head_size + layer.value_width)
            per_token += width * shape.hidden
        per_token += (layer.ffn_reads + shape.hidden) * layer.ffn
    per_text = shape.hidden * shape.pooler + shape.pooler * shape.labels
    return 2 * (length * per_token + per_text)
