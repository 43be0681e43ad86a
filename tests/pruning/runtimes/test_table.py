"""A profile as Markdown."""

from __future__ import annotations

from pruning.measure.blocks import Speedup
from pruning.measure.fidelity import Fidelity
from pruning.runtimes.rows import Alike, Best, Profile, Row
from pruning.runtimes.table import table_text


def test_a_table_for_each_length() -> None:
    rows = [
        Row(
            network=network,
            runtime=runtime,
            threads=1,
            batch=batch,
            length=length,
            median_ms=milliseconds * batch,
            speedup=Speedup(times, times - 0.1, times + 0.1),
            turns=5,
        )
        for length in (32, "real")
        for batch in (8, 1)
        for network, runtime, milliseconds, times in (
            ("teacher", "torch", 154.321, 1.0),
            ("slim-10", "onnx-int8", 1.049, 14.75),
        )
    ]
    best = [
        Best(threads=1, batch=batch, length=length, dense="torch", small="onnx-int8", speedup=Speedup(14.0, 13.0, 15.0))
        for length in (32, "real")
        for batch in (8, 1)
    ]
    alike = [
        Alike(network="teacher", runtime="torch", texts=9, fidelity=Fidelity(agreement=1.0, divergence=0.0)),
        Alike(network="slim-10", runtime="onnx-int8", texts=9, fidelity=Fidelity(correlation=0.99876, divergence=0.1)),
    ]
    texts = {"scores": None, "texts": "probe set sst2", "texts_sha256": "0" * 64}
    found = Profile(rows=tuple(rows), best=tuple(best), alike=tuple(alike), **texts, missing={})
    assert (
        table_text(found)
        == """\
Texts of 32 tokens, 1 thread:

|  | batch 8 | batch 1 |
| --- | ---: | ---: |
| teacher, torch | 1,235 ms, 1.0× (0.9 to 1.1) | 154 ms, 1.0× (0.9 to 1.1) |
| slim-10, ONNX Runtime, int8 | 8.39 ms, 15× (15 to 15) | 1.05 ms, 15× (15 to 15) |
| best small against best dense | 14× (13 to 15) | 14× (13 to 15) |

Real texts (probe set sst2), 1 thread:

|  | batch 8 | batch 1 | answers as in torch |
| --- | ---: | ---: | ---: |
| teacher, torch | 1,235 ms, 1.0× (0.9 to 1.1) | 154 ms, 1.0× (0.9 to 1.1) | 100.0% |
| slim-10, ONNX Runtime, int8 | 8.39 ms, 15× (15 to 15) | 1.05 ms, 15× (15 to 15) | r = 0.9988 |
| best small against best dense | 14× (13 to 15) | 14× (13 to 15) |  |"""
    )
