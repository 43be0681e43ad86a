"""Milliseconds of networks, always measured in turns: A B C A B C, so that a busy moment strikes all alike.

All timing holds `TIMING_LOCK`; whoever computes beside it in the same process holds it as well, or timings lie.
torch is imported inside functions, so that taking the lock costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from pruning.errors import MeasureError, Stopped
from pruning.measure.devices import synchronize

TIMING_LOCK = threading.RLock()  # one for the whole process; held again by its holder without harm
FEWEST_RUNS = 5

Call = Callable[[int], Any]  # of the round's number
Key = TypeVar("Key")


@dataclass(frozen=True)
class Rounds:
    """How often to time.

    Attributes:
        runs: timed rounds.
        warmup: rounds before that, not timed.
        threads: of the CPU; None for those that torch uses by default.
        seconds: end after this time, though not before five rounds; None for no end.
    """

    runs: int = 30
    warmup: int = 3
    threads: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.runs < 1 or self.warmup < 0:
            raise MeasureError(f"timing: {self.runs} runs after {self.warmup}, expected at least 1 after 0 or more")


@dataclass(frozen=True)
class Latency:
    """Time of one call, in milliseconds, over `runs` calls after warming up."""

    median_ms: float
    p95_ms: float
    runs: int


def latency(
    calls: Mapping[Key, Call],
    rounds: Rounds | None = None,
    *,
    device: str = "cpu",
    should_stop: Callable[[], bool] | None = None,
) -> dict[Key, Latency]:
    """Time calls in turns on one device: in each round, all of them once, in their order.

    Args:
        calls: name -> a function of the round's number.
        rounds: how often.
        device: what to wait for before the clock is read.
        should_stop: asked before each round.

    Raises:
        MeasureError: if there is nothing to time.
        Stopped: if `should_stop` said so.
    """
    import torch

    rounds = rounds or Rounds()
    if not calls:
        raise MeasureError("timing: no networks, expected at least one")
    taken: dict[Key, list[float]] = {name: [] for name in calls}
    with TIMING_LOCK, using_threads(rounds.threads), torch.inference_mode():
        for number in range(rounds.warmup):
            for call in calls.values():
                call(number % rounds.runs)
        synchronize(device)
        began = perf_counter()
        for number in range(rounds.runs):
            if should_stop is not None and should_stop():
                raise Stopped(f"stopped after {number} of {rounds.runs} timed rounds")
            if rounds.seconds is not None and number >= FEWEST_RUNS and perf_counter() - began > rounds.seconds:
                break
            for name, call in calls.items():
                start = perf_counter()
                call(number)
                synchronize(device)
                taken[name].append(perf_counter() - start)
    return {name: summary(values) for name, values in taken.items()}


def summary(seconds: Sequence[float]) -> Latency:
    """Median and 95th percentile."""
    values = 1000 * np.asarray(seconds, dtype=np.float64)
    return Latency(float(np.median(values)), float(np.percentile(values, 95)), len(values))


@contextmanager
def using_threads(threads: int | None) -> Iterator[int]:
    """Have torch compute with so many threads inside; yields how many it uses.

    The number is this thread's own, and where a thread first asks torch to compute, it takes the latest that any set.
    """
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        if threads < 1:
            raise MeasureError(f"threads {threads}: expected at least 1")
        torch.set_num_threads(threads)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
