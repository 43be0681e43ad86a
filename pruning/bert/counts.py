"""What a network of given widths costs: parameters and floating-point operations (pure arithmetic).

The selection, the measurements and the dashboard all count here, so that they count alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pruning.bert.shapes import LayerShape, NetworkShape

FLOP_LENGTH = 32  # tokens; the length at which FLOPs are compared
INDEX_BYTES = 4  # of a number in an index buffer (int32)


class Component(StrEnum):
    """What a network is made of; each LayerNorm belongs to what it follows."""

    WORDS = "words"  # the word table, its second factor included
    POSITIONS = "positions"
    SEGMENTS = "segments"  # token types, and the embeddings' LayerNorm
    ATTENTION_LINEAR = "attention_linear"  # query, key, value and output matrices
    ATTENTION = "attention"  # scores, softmax, weighted sum: no parameters
    FFN = "ffn"
    POOLER = "pooler"
    HEAD = "head"


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


def component_parameters(shape: NetworkShape) -> dict[Component, int]:
    """Stored parameters by component; their sum is `count_parameters`'s total."""
    hidden = shape.hidden
    return {
        Component.WORDS: table_parameters(shape.vocabulary, hidden, shape.rank),
        Component.POSITIONS: shape.positions * hidden,
        Component.SEGMENTS: (shape.token_types + 2) * hidden,
        Component.ATTENTION_LINEAR: sum(attention_parameters(layer, hidden, shape.head_size) for layer in shape.layers),
        Component.ATTENTION: 0,
        Component.FFN: sum(ffn_parameters(layer, hidden) for layer in shape.layers),
        Component.POOLER: (hidden + 1) * shape.pooler,
        Component.HEAD: (shape.pooler + 1) * shape.labels,
    }


def count_parameters(shape: NetworkShape) -> ParameterCount:
    """Count a network's stored parameters from its widths (checked in tests against `numel` of what is saved)."""
    parts = component_parameters(shape)
    return ParameterCount(
        embeddings=parts[Component.WORDS] + parts[Component.POSITIONS] + parts[Component.SEGMENTS],
        encoder=parts[Component.ATTENTION_LINEAR] + parts[Component.FFN],
        pooler=parts[Component.POOLER],
        head=parts[Component.HEAD],
    )


def component_index_bytes(shape: NetworkShape) -> dict[Component, int]:
    """Bytes of the index buffers beside the parameters: which residual units a sub-layer reads, where not all."""
    reads = {
        Component.ATTENTION_LINEAR: [layer.attention_reads for layer in shape.layers],
        Component.FFN: [layer.ffn_reads for layer in shape.layers],
    }
    return {part: INDEX_BYTES * sum(read for read in reads.get(part, ()) if read < shape.hidden) for part in Component}


def component_flops(shape: NetworkShape, length: int) -> dict[Component, int]:
    """Floating-point operations of one text of `length` tokens by component: 2 x multiply-adds of matrix products."""
    linear = attention = ffn = 0
    for layer in shape.layers:
        width = layer.heads * layer.value_width
        if width:
            linear += layer.attention_reads * layer.heads * (2 * shape.head_size + layer.value_width)
            linear += width * shape.hidden
            attention += length * layer.heads * (shape.head_size + layer.value_width)
        ffn += (layer.ffn_reads + shape.hidden) * layer.ffn
    return {
        Component.WORDS: 2 * length * (shape.rank * shape.hidden if shape.rank is not None else 0),
        Component.POSITIONS: 0,
        Component.SEGMENTS: 0,
        Component.ATTENTION_LINEAR: 2 * length * linear,
        Component.ATTENTION: 2 * length * attention,
        Component.FFN: 2 * length * ffn,
        Component.POOLER: 2 * shape.hidden * shape.pooler,
        Component.HEAD: 2 * shape.pooler * shape.labels,
    }


def count_flops(shape: NetworkShape, length: int) -> int:
    """Floating-point operations of one text of `length` tokens: 2 x multiply-adds of matrix products, nothing else."""
    return sum(component_flops(shape, length).values())
