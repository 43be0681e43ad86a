"""A latency table's differences: exact where networks take what a formula says, plausible where they are timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from pruning.bert.shapes import BertShape, NetworkShape
from pruning.measure import latency_table as module
from pruning.measure.latency_table import latency_table
from pruning.measure.network import Network
from pruning.records import to_plain
from pruning.selection.latency import LatencyTable
from pruning.slimbert import shape_of


def milliseconds(shape: NetworkShape) -> float:
    """A machine on which a layer's first head costs more than others, and every layer something."""
    layers = [0.5 + (2.0 + 0.25 * layer.heads if layer.heads else 0.0) + 0.125 * layer.ffn for layer in shape.layers]
    return 3.0 + sum(layers)


def on_that_machine(network: Network, _: Mapping[str, Any]) -> Callable[[int], float]:
    assert network.model.config.kept_heads[-1], "nothing but first tokens would be computed"
    return lambda turn: milliseconds(shape_of(network.model.config))


def without_a_clock(calls: Mapping[Any, Callable[[int], float]], *_: Any, **__: Any) -> dict[Any, np.ndarray]:
    return {key: np.array([call(0)]) for key, call in calls.items()}


@pytest.mark.parametrize("layers", [1, 2, 6, 9])  # fewer and more than a timed network has
def test_a_table_adds_up_to_what_networks_take(layers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "in_blocks", without_a_clock)
    shape = BertShape(layers, 4, 8, 32, 64, vocabulary=50, positions=16, token_types=2, pooler=32, labels=2)
    table = latency_table(shape, bind=on_that_machine, steps=3)
    dense = shape.network()
    assert table.milliseconds(dense) == pytest.approx(milliseconds(dense))
    one, none = (replace(dense.layers[0], heads=heads, ffn=units) for heads, units in ((1, 1), (0, 0)))
    narrow = replace(dense, layers=(one,) * layers)
    assert table.milliseconds(narrow) == pytest.approx(milliseconds(narrow))
    if layers > 1:  # else there is no telling a first head from all that is always there
        hollow = replace(dense, layers=(*(none,) * (layers - 1), one))
        assert table.milliseconds(hollow) == pytest.approx(milliseconds(hollow))


def test_widths_are_close_where_a_layer_is_narrow() -> None:
    shape = BertShape(1, 12, 8, 96, 1536, vocabulary=50, positions=16, token_types=2, pooler=96, labels=2)
    table = latency_table(shape, length=2, turns=1)
    assert table.heads == (0, 1, 2, 5, 12)
    assert table.ffn == (0, 32, 84, 222, 584, 1536)


def test_a_latency_table_reaches_from_nothing_to_the_dense_widths_and_survives_json() -> None:
    # Wide enough that a layer's milliseconds stand out from a busy machine's noise.
    shape = BertShape(2, 4, 64, 256, 1024, vocabulary=50, positions=64, token_types=2, pooler=256, labels=2)
    table = latency_table(shape, batch=8, length=64, steps=2, turns=5)
    assert (table.heads, table.ffn) == ((0, 1, 4), (0, 21, 1024))
    assert table.attention_ms[0] == table.ffn_ms[0] == 0.0
    assert table.other_ms > 0.0
    assert table.attention_ms[-1] > 0.0
    dense = table.other_ms + shape.layers * (table.attention_ms[-1] + table.ffn_ms[-1])
    assert table.milliseconds(shape.network()) == pytest.approx(dense)
    assert (table.device, table.batch, table.length) == ("cpu", 8, 64)
    assert msgspec.json.decode(json.dumps(to_plain(table)), type=LatencyTable) == table
