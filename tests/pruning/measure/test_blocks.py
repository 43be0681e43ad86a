"""Blocks in turns: who is called when, when it ends, and speed-ups of the same turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pruning.errors import MeasureError
from pruning.measure import blocks
from pruning.measure.blocks import Blocks, in_blocks, speedup


def noting(seen: list[tuple[str, int]], *names: str) -> dict[str, Callable[[int], Any]]:
    return {name: lambda turn, name=name: seen.append((name, turn)) for name in names}


def test_blocks_of_all_in_turns_each_after_a_call_that_is_not_timed() -> None:
    seen: list[tuple[str, int]] = []
    found = in_blocks(noting(seen, "a", "b"), Blocks(most=3, calls=2))
    before = [("a", 0)] * 2 + [("b", 0)] * 2
    assert seen == before + [(name, turn) for turn in range(3) for name in "ab" for _ in range(3)]
    assert {name: values.shape for name, values in found.items()} == {"a": (3,), "b": (3,)}
    assert all((values > 0).all() for values in found.values())


def test_a_slow_call_is_a_block_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SLOW_MS", 0.0)
    seen: list[tuple[str, int]] = []
    in_blocks(noting(seen, "a", "b"), Blocks(most=2, calls=4))
    assert seen[4:] == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]


def test_a_first_call_that_compiles_makes_nothing_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "SLOW_MS", 20.0)
    calls = 0

    def once_slow(turn: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            blocks_end = blocks.perf_counter() + 0.05
            while blocks.perf_counter() < blocks_end:
                pass

    in_blocks({"a": once_slow}, Blocks(most=1, calls=3))
    assert calls == 2 + 1 + 3


def test_it_ends_with_its_seconds_but_not_before_five_turns() -> None:
    found = in_blocks(noting([], "a"), Blocks(most=50, calls=1, seconds=0.0))
    assert len(found["a"]) == 5
    assert len(in_blocks(noting([], "a"), Blocks(most=7, calls=1))["a"]) == 7
    with pytest.raises(MeasureError, match="timing: 0 turns of 5 calls, expected at least 1 of 1"):
        Blocks(most=0)


def test_a_speedup_is_of_the_same_turns() -> None:
    generator = np.random.default_rng(3)
    own = generator.uniform(1, 5, 40)  # a busy machine, which strikes both alike
    alike = speedup(2.5 * own, own)
    assert (alike.times, alike.low, alike.high) == pytest.approx((2.5, 2.5, 2.5))
    apart = speedup(2.5 * generator.permutation(own), own)
    assert apart.low < apart.times < apart.high
    assert apart.high - apart.low > 0.3
    assert speedup(own, own * 2).times == pytest.approx(0.5)
