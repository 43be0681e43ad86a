"""A device's milliseconds per sub-layer width, measured, for selections under a latency budget.

python -m pruning.measure.latency_table        prints the table of the embedded backbone's widths as JSON
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pruning.bert.shapes import BertShape, LayerShape, NetworkShape
from pruning.measure.blocks import Blocks, in_blocks
from pruning.measure.latency import Call
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from pruning.records import to_plain
from pruning.selection.latency import TORCH, LatencyTable

Bind = Callable[[Network, Mapping[str, Any]], Call]
Widths = tuple[int, int]  # heads and FFN units of a layer
DEEPEST = 6  # layers of a timed network whose layers are all alike
LEAST_MS = 1e-3  # what no network is faster than
TURNS, CALLS = 15, 3
WIDEST_SPAN = 48  # the widest layer against the narrowest that is timed


def latency_table(
    shape: BertShape,
    *,
    batch: int = 1,
    length: int = 32,
    device: str = "cpu",
    steps: int = 5,
    turns: int = TURNS,
    bind: Bind | None = None,
    runtime: str = TORCH,
) -> LatencyTable:
    """Time networks of a few widths in turns of short blocks and take their differences.

    Every one of them has a head in its last layer: after a network's last head only each text's first token is
    computed, so one without any would take next to nothing. What the last layer saves is shared out among all.

    Args:
        shape: the teacher's widths; tables reach from nothing to these.
        batch: texts a batch.
        length: tokens a text.
        device: where to time.
        steps: widths timed per kind of sub-layer, besides none (and a single head).
        turns: of short blocks, see `in_blocks`.
        bind: from a network and its inputs, a call that computes an answer; None for torch's own.
        runtime: what that is called.

    Returns:
        Milliseconds per attention sub-layer by heads, per FFN by units, and of the rest, all layers' norms included.
    """
    heads, units = tuple(sorted({1, *_widths(shape.heads, steps)})), _widths(shape.ffn, steps)
    length, depth = min(length, shape.positions), min(DEEPEST, shape.layers)
    bind = bind or in_torch
    alike = {(count, 0): ((count, 0),) * depth for count in heads if count}
    alike |= {(1, count): ((1, count),) * depth for count in units if count}
    hollow = {layers: ((0, 0),) * (layers - 1) + ((1, 0),) for layers in (depth, shape.layers)}
    networks = {layers: _network(shape, layers, device) for layers in (*alike.values(), *hollow.values())}
    blocks = Blocks(most=turns, calls=CALLS)
    calls = {layers: bind(network, made_up(network, batch, length)) for layers, network in networks.items()}
    taken = {layers: float(np.median(ms)) for layers, ms in in_blocks(calls, blocks, device=device).items()}
    one_each = taken[alike[1, 0]]
    first_head = max(0.0, one_each - taken[hollow[depth]]) / max(1, depth - 1)

    def further(heads: int, units: int) -> float:
        return max(0.0, taken[alike[heads, units]] - one_each) / depth

    return LatencyTable(
        heads=heads,
        attention_ms=tuple(first_head + further(count, 0) if count else 0.0 for count in heads),
        ffn=units,
        ffn_ms=tuple(further(1, count) if count else 0.0 for count in units),
        other_ms=max(taken[hollow[shape.layers]] - first_head, LEAST_MS),
        device=device,
        batch=batch,
        length=length,
        runtime=runtime,
    )


def in_torch(network: Network, inputs: Mapping[str, Any]) -> Call:
    """A call that computes an answer as torch does when nothing is asked for."""
    return lambda _: network.model(**inputs)


def _widths(most: int, steps: int) -> tuple[int, ...]:
    """None, and from few to all, each about as many times the one before: a layer's first unit costs the most."""
    powers = [(step - steps) / max(1, steps - 1) for step in range(1, steps + 1)]
    return (0, *sorted({max(1, round(most * WIDEST_SPAN**power)) for power in powers}))


def _network(shape: BertShape, layers: Sequence[Widths], device: str) -> Network:
    """A network of random weights."""
    from pruning.slimbert import SlimBertConfig, SlimBertForSequenceClassification

    network = NetworkShape(
        vocabulary=1000,  # rows of a table do not cost time
        rank=None,
        positions=shape.positions,
        token_types=shape.token_types,
        hidden=shape.hidden,
        head_size=shape.head_size,
        layers=tuple(_layer(shape, *widths) for widths in layers),
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
        kept_heads=[list(range(heads)) for heads, _ in layers],
        pooler_size=network.pooler,
        **settings,
    )
    return Network(SlimBertForSequenceClassification(config), None, network.positions).on(device)


def _layer(shape: BertShape, heads: int, ffn: int) -> LayerShape:
    return LayerShape(
        heads=heads,
        value_width=shape.head_size if heads else 0,
        attention_reads=shape.hidden if heads else 0,
        ffn=ffn,
        ffn_reads=shape.hidden if ffn else 0,
    )


def main() -> None:
    """Print the table of the embedded backbone's widths on this machine's CPU."""
    shape = BertShape(6, 12, 32, 384, 1536, 30522, 512, 2, 384, 2)
    print(json.dumps(to_plain(latency_table(shape))))


if __name__ == "__main__":
    main()
