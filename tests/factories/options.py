"""Made-up networks as options, for tests of advice."""

from __future__ import annotations

from typing import Any

from pruning.advice import Option, Timed
from pruning.measure.intervals import Interval
from pruning.variants import Variant

TEACHER_SCORE = 0.9


def made_time(ms: float, hardware: str = "made-up processor", **values: Any) -> Timed:
    """Milliseconds at batch 1 with 32 tokens, in 2 threads."""
    known = {"batch": 1, "length": 32, "median_ms": ms, "device": "cpu", "threads": 2, "hardware": hardware}
    return Timed(**(known | values))


def made_option(variant: str = "slim-10", score: float = 0.89, ms: float | None = 3.0, **values: Any) -> Option:
    """A network of SST-2 that takes 5 MB and 100 MB of memory; `ms` at batch 1 with 32 tokens."""
    parsed = Variant.parse(variant)
    difference = score - TEACHER_SCORE
    known = {
        "study": "sst2",
        "task": "SST-2",
        "rows": "1" * 64,
        "variant": parsed,
        "metric": "Accuracy",
        "score": score,
        "count": 1000,
        "correct": round(1000 * score),
        "floor": 0.5,
        "lost": -100 * difference,
        "interval": None
        if parsed.is_teacher
        else Interval("accuracy", difference, difference - 0.015, difference + 0.015, 1000),
        "budget": None if parsed.budget is None else float(parsed.budget) / 100,
        "size_bytes": 5_000_000,
        "memory_bytes": 100_000_000,
        "times": () if ms is None else (made_time(ms),),
        "command": f"pruning export sst2 --variant {variant} --to sst2-{variant}",
        "is_stored": True,
    }
    return Option(**(known | values))
