"""Timing goes in turns, holds the lock and gives back what it changed; memory, devices and environment."""

from __future__ import annotations

import importlib.metadata
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from pruning import slimbert
from pruning.data.examples import Examples
from pruning.errors import MeasureError, Stopped
from pruning.measure.devices import devices
from pruning.measure.environment import current_commit, environment
from pruning.measure.latency import TIMING_LOCK, Rounds, latency, summary
from pruning.measure.memory import peak_memory
from pruning.measure.network import Network
from pruning.measure.speed import speed_table
from pruning.variants import TEACHER, slim

ROOT = Path(__file__).resolve().parents[3]


def test_networks_are_timed_in_turns() -> None:
    order: list[str] = []
    timed = {name: (lambda number, name=name: order.append(f"{name}{number}")) for name in "ABC"}
    taken = latency(timed, Rounds(runs=3, warmup=2))
    assert "".join(order) == "A0B0C0A1B1C1" + "A0B0C0A1B1C1A2B2C2"
    assert list(taken) == ["A", "B", "C"]
    assert all(value.runs == 3 and value.median_ms >= 0 for value in taken.values())


def test_median_and_95th_percentile() -> None:
    value = summary([0.001 * n for n in range(1, 101)])
    assert (value.median_ms, value.p95_ms, value.runs) == (pytest.approx(50.5), pytest.approx(95.05), 100)
    slow = latency({"A": lambda _: time.sleep(0.02)}, Rounds(runs=3, warmup=0))["A"]
    assert 20 <= slow.median_ms <= slow.p95_ms


def test_timing_holds_the_lock_and_the_threads_and_gives_them_back() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[bool, int, bool]] = []

    def look(_: int) -> None:
        other: list[bool] = []

        def attempt() -> None:
            other.append(TIMING_LOCK.acquire(blocking=False))
            if other[0]:
                TIMING_LOCK.release()

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        seen.append((other[0], torch.get_num_threads(), torch.is_inference_mode_enabled()))

    once = Rounds(runs=1, warmup=0, threads=before + 1)
    latency({"A": look}, once)
    with TIMING_LOCK:  # whoever holds it already may time
        latency({"A": look}, once)
    assert seen == [(False, before + 1, True)] * 2
    assert torch.get_num_threads() == before
    with pytest.raises(MeasureError, match="threads 0: expected at least 1"):
        latency({"A": look}, Rounds(threads=0))
    with pytest.raises(ZeroDivisionError):
        latency({"A": lambda _: 1 // 0}, once)
    assert torch.get_num_threads() == before
    assert TIMING_LOCK.acquire(blocking=False)
    TIMING_LOCK.release()


def test_time_and_stopping_end_a_timing() -> None:
    bounded = Rounds(runs=1000, warmup=0, seconds=0.02)
    assert latency({"A": lambda _: time.sleep(0.01)}, bounded)["A"].runs == 5
    stops = iter([False, False, True])
    with pytest.raises(Stopped, match="stopped after 2 of 9 timed rounds"):
        latency({"A": lambda _: None}, Rounds(runs=9), should_stop=lambda: next(stops))
    with pytest.raises(MeasureError, match="no networks, expected at least one"):
        latency({})
    with pytest.raises(MeasureError, match="0 runs after 3, expected at least 1"):
        Rounds(runs=0)


def test_speed_table(tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples) -> None:
    dense = slimbert.dense_from_bert(tiny_bert)
    networks = {TEACHER: Network(tiny_bert, tiny_tokenizer, 128), slim("50"): Network(dense, tiny_tokenizer, 128)}
    calls: list[tuple[int, tuple[int, ...], bool]] = []
    for index, network in enumerate((tiny_bert, dense)):

        def note(_: Any, arguments: tuple, inputs: dict[str, Any], index: int = index) -> None:
            is_full = bool((inputs["attention_mask"] == 1).all())
            calls.append((index, tuple(inputs["input_ids"].shape), is_full))

        network.register_forward_pre_hook(note, with_kwargs=True)
    steps: list[tuple[int, int, str]] = []
    rows = speed_table(
        networks,
        tiny_examples,
        lengths=(4, 8, 64),
        batches=(1, 3),
        rounds=Rounds(runs=3, warmup=1, threads=1),
        progress=lambda *step: steps.append(step),
    )
    # 64 is above the 32 positions: left out
    cells = [(1, 4), (1, 8), (3, 4), (3, 8), (1, "real"), (3, "real")]
    assert [(row.batch, row.length, row.variant) for row in rows] == [(*cell, v) for cell in cells for v in networks]
    for teacher, own in zip(rows[::2], rows[1::2], strict=True):
        assert (teacher.speedup, own.speedup) == (1.0, teacher.median_ms / own.median_ms)
        assert (own.runs, own.threads, own.device) == (3, 1, "cpu")
    assert [call[0] for call in calls] == [0, 1] * (len(calls) // 2)
    made_up = [call[1:] for call in calls[: 4 * 8 : 8]]
    assert made_up == [((1, 4), True), ((1, 8), True), ((3, 4), True), ((3, 8), True)]
    # a warm-up, then three texts of their own length
    assert [shape for _, shape, is_full in calls[32:40:2] if is_full] == [(1, 3), (1, 3), (1, 4), (1, 5)]
    assert {shape[0] for _, shape, _ in calls[40:]} == {3}
    assert not all(is_full for _, _, is_full in calls[40:])
    assert [step[:2] for step in steps] == [(done, 6) for done in range(7)]


def test_a_speed_table_needs_a_teacher_on_the_same_device_and_can_be_stopped(
    tiny_bert: Any, tiny_tokenizer: Any
) -> None:
    network = Network(tiny_bert, tiny_tokenizer, 128)
    with pytest.raises(MeasureError, match="no teacher among slim-10"):
        speed_table({slim("10"): network})
    with pytest.raises(MeasureError, match="several devices, expected all on cpu"):
        speed_table({TEACHER: network, slim("10"): Network(tiny_bert, tiny_tokenizer, 128, "meta")})
    stops = iter([False] * 3 + [True])
    rows = speed_table({TEACHER: network}, lengths=(4, 8), rounds=Rounds(runs=2), should_stop=lambda: next(stops))
    assert [(row.batch, row.length) for row in rows] == [(1, 4)]


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory on the CPU is read from Linux's /proc")
def test_peak_memory_grows_with_the_network(make_bert: Callable[..., Any]) -> None:
    large = make_bert(vocab_size=200_000, hidden_size=64)  # 51 MB of words
    peak = peak_memory(Network(large, None, 16), batch=2)
    assert peak is not None
    assert 50e6 < peak < 400e6


def test_peak_memory_says_why_it_cannot_be_had(tiny_bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MeasureError, match="peak memory: the process that measures it failed"):
        peak_memory(Network(tiny_bert, None, 16))


def test_devices_come_with_the_reason_where_they_are_missing() -> None:
    found = {device.name: device for device in devices()}
    assert found["cpu"].available
    assert ("cuda:0" in found) == torch.cuda.is_available()
    assert all(device.available == (device.reason is None) and device.title for device in found.values())


def test_environment_names_no_host_and_no_path() -> None:
    import getpass
    import platform

    found = environment()
    text = json.dumps(asdict(found))
    assert found.libraries["torch"] == torch.__version__
    assert "core" in found.hardware
    for secret in (platform.node(), str(Path.home()), str(ROOT), sys.prefix):
        assert not secret or secret not in text
    assert f"/{getpass.getuser()}" not in text
    further = environment(("msgspec", "no-such-package")).libraries
    assert further == found.libraries | {"msgspec": importlib.metadata.version("msgspec")}


def test_the_commit_is_that_of_the_checkout_and_none_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    found = current_commit()
    assert found is None or set(found.removesuffix("+")) <= set("0123456789abcdef")
    with monkeypatch.context() as inner:
        inner.setattr("pruning.measure.environment.is_installed", lambda: True)
        assert current_commit() is None  # though the folder above may belong to somebody's repository
    monkeypatch.setenv("PATH", "")
    assert current_commit() is None
