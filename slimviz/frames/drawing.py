"""How much of each part of the teacher a slim network keeps, for a picture whose areas are parameters (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from pruning.bert.counts import attention_parameters, count_parameters, ffn_parameters, table_parameters
from pruning.bert.shapes import BertShape, LayerShape, Masks, NetworkShape


@dataclass(frozen=True)
class LayerDrawing:
    """One layer.

    Attributes:
        heads: for each of the teacher's heads, the share of its parameters that is left; 0 where it was cut.
        heads_left: how many are left.
        ffn: the share of the FFN's parameters that is left.
        ffn_left: units left.
    """

    heads: tuple[float, ...]
    heads_left: int
    ffn: float
    ffn_left: int


@dataclass(frozen=True)
class NetworkDrawing:
    """A slim network inside its teacher.

    Attributes:
        layers: the first one first.
        attention: parameters of a teacher's attention sub-layer.
        ffn: of its FFN sub-layer.
        ffn_units: the teacher's units a layer.
        table: of its word table.
        rest: of its positions, pooler and classifier.
        pieces: of the teacher's vocabulary, the share that is left.
        table_width: the share of the table's width that is left, so that `pieces` times it is the share of parameters.
        table_words: what is left of the table, in words.
        rest_left: the share of the rest that is left.
    """

    layers: tuple[LayerDrawing, ...]
    attention: int
    ffn: int
    ffn_units: int
    table: int
    rest: int
    pieces: float
    table_width: float
    table_words: str
    rest_left: float


def network_drawing(shape: BertShape, slim: NetworkShape, masks: Masks) -> NetworkDrawing:
    """Compare a slim network with its teacher, part by part.

    Args:
        shape: the teacher's widths.
        slim: the slim network's.
        masks: which units are left.
    """
    dense = shape.network()
    whole = dense.layers[0]
    attention = attention_parameters(whole, dense.hidden, dense.head_size)
    ffn, table = ffn_parameters(whole, dense.hidden), table_parameters(dense.vocabulary, dense.hidden, None)
    slim_table = table_parameters(slim.vocabulary, slim.hidden, slim.rank)
    rest = _rest(dense)
    pieces = slim.vocabulary / dense.vocabulary
    return NetworkDrawing(
        layers=tuple(
            _layer(layer, slim, dense, alive) for layer, alive in zip(slim.layers, masks.heads(shape) > 0, strict=True)
        ),
        attention=attention,
        ffn=ffn,
        ffn_units=whole.ffn,
        table=table,
        rest=rest,
        pieces=pieces,
        table_width=min(1.0, slim_table / table / pieces),
        table_words=table_words(slim, dense),
        rest_left=min(1.0, _rest(slim) / rest),
    )


def table_words(slim: NetworkShape, dense: NetworkShape) -> str:
    """What is left of the word table: pieces, and the rank of its factors."""
    rank = "" if slim.rank is None else f", rank {slim.rank:,} of {dense.hidden:,}"
    return f"{slim.vocabulary:,} of {dense.vocabulary:,} pieces{rank}"


def _layer(layer: LayerShape, slim: NetworkShape, dense: NetworkShape, alive: list[bool]) -> LayerDrawing:
    whole = dense.layers[0]
    attention = attention_parameters(layer, slim.hidden, slim.head_size)
    a_head = min(
        1.0, attention / attention_parameters(whole, dense.hidden, dense.head_size) * whole.heads / max(1, layer.heads)
    )
    is_read = layer.heads > 0  # heads that read nothing give a constant, so they are counted as cut
    return LayerDrawing(
        heads=tuple(a_head if kept and is_read else 0.0 for kept in alive),
        heads_left=layer.heads,
        ffn=ffn_parameters(layer, slim.hidden) / ffn_parameters(whole, dense.hidden) if layer.ffn else 0.0,
        ffn_left=layer.ffn,
    )


def _rest(network: NetworkShape) -> int:
    """Parameters of positions, token types, pooler and classifier."""
    count = count_parameters(network)
    return count.total - count.encoder - table_parameters(network.vocabulary, network.hidden, network.rank)
