"""A measured table of sub-layer latencies, and the selection that uses it."""

from __future__ import annotations

from pruning.bert.shapes import BertShape
from pruning.measure.latency_table import latency_table

SHAPE = BertShape(
    layers=2, heads=4, head_size=16, hidden=64, ffn=256, vocabulary=50, positions=64, token_types=2, pooler=64, labels=2
)


def test_the_table_reaches_from_nothing_to_the_dense_widths() -> None:
    table = latency_table(SHAPE, batch=4, length=32, steps=2, runs=5)
    assert table.heads == (0, 2, 4)
    assert table.ffn == (0, 128, 256)
    assert table.attention_ms[0] == table.ffn_ms[0] == 0.0
    assert all(value >= 0.0 for value in (*table.attention_ms, *table.ffn_ms))
    assert table.other_ms > 0.0
    assert table.attention_ms[-1] > 0.0
    dense = table.milliseconds(SHAPE.network())
    expected = table.other_ms + SHAPE.layers * (table.attention_ms[-1] + table.ffn_ms[-1])
    assert abs(dense - expected) < 1e-9
