"""What makes a whole study on the tiny backbone a matter of seconds."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

SETTINGS = {
    "max_length": 16,
    "batch_size": 12,
    "teacher_epochs": 2,
    "slim_epochs": 1,
    "recover_epochs": 2,
    "checkpoint_steps": 2,
    "adapter_rank": 2,
    "precision": "float32",
    # Every stage but least squares; what is done by default has runs of its own.
    "stages": ("slim", "recover"),
    "criterion": "alpha",
    "selection.attention_preference": 2.0,
}
BUDGETS = (0.5, 0.1)  # the tiny backbone reaches no less than 0.08


def as_options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as they are typed."""
    typed = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    return [part for name, value in typed.items() for part in ("--set", f"{name}={value}")]


SETTING_OPTIONS = as_options(SETTINGS)


@contextmanager
def quick_measurements(peak_memory: int | None = None) -> Iterator[None]:
    """One timing per cell and no other process to measure memory (their own tests do that)."""
    from pruning.measure import memory, speed
    from pruning.measure.latency import Rounds

    with (
        mock.patch.object(memory, "peak_in_new_process", return_value=peak_memory),
        mock.patch.object(speed, "ROUNDS", Rounds(runs=1, warmup=0)),
        mock.patch.object(speed, "LENGTHS", (16,)),
    ):
        yield


@contextmanager
def frozen_garbage() -> Iterator[None]:
    """The Trainer collects garbage whenever it starts; what was imported so far need not be searched each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
