"""Stored profiles with made-up numbers, of a study's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pruning.measure.blocks import Speedup
from pruning.measure.intervals import Interval
from pruning.runtimes.rows import Profile, Row, Scored
from pruning.runtimes.stored import Size, StoredProfile
from pruning.study import Study
from pruning.variants import TEACHER

# network -> runtime -> milliseconds of one text of 32 tokens, metric, bytes
FOUND = {
    "teacher": {"torch": (11.0, 0.9, 40_000_000), "onnx-int8": (3.0, 0.895, 12_000_000)},
    "slim-10": {
        "torch": (2.0, 0.89, 4_000_000),
        "bfloat16": (2.5, 0.89, 4_000_000),
        "onnx": (1.2, 0.89, 8_000_000),
        "onnx-int8": (0.8, 0.88, 3_000_000),
    },
}


def made_profile(
    study: Study,
    found: Mapping[str, Mapping[str, tuple[float, float, int]]] = FOUND,
    *,
    threads: int = 2,
    batch: int = 1,
    hardware: str = "profiled processor",
    is_scored: bool = True,
    **values: Any,
) -> StoredProfile:
    """A profile of a study's teacher and slim-10, scored on the rows of the study."""
    main, data = study.task.main_metric, study.document.provenance.data
    cells = [(network, runtime, *known) for network, runtimes in found.items() for runtime, known in runtimes.items()]
    dense = found["teacher"]["torch"][1]
    rows = [
        Row(
            network=network,
            runtime=runtime,
            threads=threads,
            batch=batch,
            length=length,
            median_ms=ms if length == 32 else 0.5 * ms,
            speedup=Speedup(1.0, 1.0, 1.0),
            turns=5,
        )
        for length in (32, "real")
        for network, runtime, ms, _, _ in cells
    ]
    scores = [
        Scored(
            network=network,
            runtime=runtime,
            count=data.validation.rows,
            correct=round(score * data.validation.rows),
            metrics=dict.fromkeys(study.task.metrics, score),
            interval=None
            if (network, runtime) == ("teacher", "torch")
            else Interval(main, score - dense, score - dense - 0.01, score - dense + 0.01, 2000),
        )
        for network, runtime, _, score, _ in cells
    ]
    known = {
        "study": study.name,
        "task": study.task.name,
        "variant": "slim-10",
        "weights": study.weights_sha256(TEACHER, "slim-10"),
        "command": f"python -m pruning profile {study.name} --variant slim-10 --data glue",
        "commit": "0123456789ab",
        "date": "2025-01-02T03:04:05+00:00",
        "hardware": hardware,
        "libraries": {"torch": "2.13.0", "onnxruntime": "1.0"},
        "bfloat16": ("avx512_bf16",),
        "sizes": tuple(Size(network=network, runtime=runtime, bytes=size) for network, runtime, _, _, size in cells),
        "profile": Profile(
            rows=tuple(rows),
            best=(),
            alike=(),
            scores=tuple(scores) if is_scored else None,
            texts="folder glue",
            texts_sha256=data.validation.sha256,
            missing={},
        ),
    }
    return StoredProfile(**(known | values))
