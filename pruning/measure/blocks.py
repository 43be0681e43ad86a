"""Networks timed in turns of short blocks: for what computes with threads of its own, which outlive a call a little.

A block is a few calls of one network after one that is not timed, since the threads of the one before may still be
busy. All networks have one block each, in their order, again and again, so a busy moment strikes all alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from pruning.errors import MeasureError
from pruning.measure.latency import FEWEST_RUNS, Call, Key, Rounds, latency
from pruning.records import AboveZero, Record

SLOW_MS = 200.0  # a call this long is a block by itself: what others left behind does not show in it
RESAMPLES = 2000
TAILS = (2.5, 97.5)  # percent


@dataclass(frozen=True)
class Blocks:
    """How often to time.

    Attributes:
        most: turns at the most.
        calls: timed ones a block; 1 where one alone takes `SLOW_MS`.
        seconds: end after this time, though not before five turns.
        threads: of the CPU; None for those that torch uses by default. What has threads of its own is told elsewhere.
    """

    most: int = 50
    calls: int = 5
    seconds: float = 10.0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.most < 1 or self.calls < 1:
            raise MeasureError(f"timing: {self.most} turns of {self.calls} calls, expected at least 1 of 1")


class Speedup(Record, frozen=True):
    """How many times faster one network is than another.

    Attributes:
        times: the median over turns of the ratio of both in the same turn.
        low: 2.5th percentile of that median over resampled turns.
        high: 97.5th percentile.
    """

    times: AboveZero
    low: AboveZero
    high: AboveZero


def in_blocks(calls: Mapping[Key, Call], blocks: Blocks, *, device: str = "cpu") -> dict[Key, np.ndarray]:
    """Each one's milliseconds, the median of every block, (turns,) float64.

    Args:
        calls: name -> a function of the turn's number; called twice before any turn.
        blocks: how often.
        device: what to wait for before the clock is read.
    """
    rounds = {name: _rounds(call, blocks, device) for name, call in calls.items()}
    medians: dict[Key, list[float]] = {name: [] for name in calls}
    began = perf_counter()
    for turn in range(blocks.most):
        if turn >= FEWEST_RUNS and perf_counter() - began > blocks.seconds:
            break
        for name, call in calls.items():
            block = latency({name: lambda _, call=call, turn=turn: call(turn)}, rounds[name], device=device)
            medians[name].append(block[name].median_ms)
    return {name: np.array(found) for name, found in medians.items()}


def _rounds(call: Call, blocks: Blocks, device: str) -> Rounds:
    """What is a block of one network; its first call may compile or fetch, so the faster of two counts."""
    once = Rounds(runs=1, warmup=0, threads=blocks.threads)
    taken = min(latency({0: call}, once, device=device)[0].median_ms for _ in range(2))
    return once if taken > SLOW_MS else Rounds(runs=blocks.calls, warmup=1, threads=blocks.threads)


def speedup(reference: np.ndarray, own: np.ndarray) -> Speedup:
    """How many times faster than a reference something is, from milliseconds of the same turns, (turns,) each."""
    ratios = reference / own
    drawn = np.random.default_rng(0).integers(len(ratios), size=(RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), TAILS)
    return Speedup(float(np.median(ratios)), float(low), float(high))
