"""A device's milliseconds per sub-layer width, measured, for selections under a latency budget.

python -m pruning.measure.latency_table        prints the table of the embedded backbone's widths as JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pruning.bert.shapes import BertShape, LayerShape, NetworkShape
from pruning.measure.latency import Call, Rounds, latency
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from pruning.records import to_plain
from pruning.selection.latency import TORCH, LatencyTable

Bind = Callable[[Network, Mapping[str, Any]], Call]
REPEATED = 4  # equal layers in a timed network, so that a layer's share stands out of the rest
RUNS = 15


def latency_table(
    shape: BertShape,
    *,
    batch: int = 1,
    length: int = 32,
    device: str = "cpu",
    steps: int = 5,
    runs: int = RUNS,
    bind: Bind | None = None,
    runtime: str = TORCH,
) -> LatencyTable:
    """Time networks of a few widths in turns and take their differences.

    Args:
        shape: the teacher's widths; tables reach from nothing to these.
        batch: texts a batch.
        length: tokens a text.
        device: where to time.
        steps: widths timed per kind of sub-layer, besides none.
        runs: timed rounds.
        bind: from a network and its inputs, a call that computes an answer; None for torch's own.
        runtime: what that is called.

    Returns:
        Milliseconds per attention sub-layer by heads, per FFN by units, and of the rest.
    """
    heads = _widths(shape.heads, steps)
    units = _widths(shape.ffn, steps)
    length = min(length, shape.positions)
    networks = {(count, 0): _network(shape, count, 0, device) for count in heads}
    networks |= {(0, count): _network(shape, 0, count, device) for count in units}
    bind = bind or in_torch
    calls = {widths: bind(network, made_up(network, batch, length)) for widths, network in networks.items()}
    taken = latency(calls, Rounds(runs=runs), device=device)
    empty = taken[0, 0].median_ms

    def per_layer(heads: int, units: int) -> float:
        return max(0.0, taken[heads, units].median_ms - empty) / REPEATED

    return LatencyTable(
        heads=heads,
        attention_ms=tuple(per_layer(count, 0) for count in heads),
        ffn=units,
        ffn_ms=tuple(per_layer(0, count) for count in units),
        other_ms=empty,
        device=device,
        batch=batch,
        length=length,
        runtime=runtime,
    )


def in_torch(network: Network, inputs: Mapping[str, Any]) -> Call:
    """A call that computes an answer as torch does when nothing is asked for."""
    return lambda _: network.model(**inputs)


def _widths(most: int, steps: int) -> tuple[int, ...]:
    return tuple(sorted({round(most * step / steps) for step in range(steps + 1)}))


def _network(shape: BertShape, heads: int, ffn: int, device: str) -> Network:
    from pruning.slimbert import SlimBertConfig, SlimBertForSequenceClassification

    layer = LayerShape(
        heads=heads,
        value_width=shape.head_size if heads else 0,
        attention_reads=shape.hidden if heads else 0,
        ffn=ffn,
        ffn_reads=shape.hidden if ffn else 0,
    )
    network = NetworkShape(
        vocabulary=1000,  # rows of a table do not cost time
        rank=None,
        positions=shape.positions,
        token_types=shape.token_types,
        hidden=shape.hidden,
        head_size=shape.head_size,
        layers=(layer,) * REPEATED,
        pooler=shape.pooler,
        labels=shape.labels,
    )
    settings: dict[str, Any] = {"num_labels": network.labels}  # one of transformers' own, not among the class's fields
    config = SlimBertConfig(
        vocab_size=network.vocabulary,
        max_position_embeddings=network.positions,
        type_vocab_size=network.token_types,
        hidden_size=network.hidden,
        head_size=network.head_size,
        layers=[asdict(one) for one in network.layers],
        kept_heads=[list(range(heads))] * REPEATED,
        pooler_size=network.pooler,
        **settings,
    )
    return Network(SlimBertForSequenceClassification(config), None, network.positions).on(device)


def main() -> None:
    """Print the table of the embedded backbone's widths on this machine's CPU."""
    shape = BertShape(6, 12, 32, 384, 1536, 30522, 512, 2, 384, 2)
    print(json.dumps(to_plain(latency_table(shape))))


if __name__ == "__main__":
    main()
