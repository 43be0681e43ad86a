"""How many threads a run computes with, and that nobody else computes with fewer for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pruning.measure import logits
from pruning.measure.latency import TIMING_LOCK, using_threads
from pruning.study import Study
from pruning.variants import TEACHER, slim
from slimviz.live import time_limit
from slimviz.live.answers import predict
from slimviz.live.examples import Drawn
from slimviz.live.networks import Network, _export, all_threads, computing, load_networks
from slimviz.live.run import LiveRun, RunSettings, conditions
from tests.factories.tiny_study import BUDGET, tiny_examples

ALL = 3
BOTH = (TEACHER, slim(BUDGET))


@pytest.fixture(autouse=True)
def all_are_three(threads_here: Callable[[int], None]) -> None:
    threads_here(ALL)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads torch had at each forward pass."""
    seen: list[int] = []
    forward = logits.timed_forward

    def watched(network: Network, inputs: Mapping[str, Any]) -> tuple[np.ndarray, float]:
        seen.append(torch.get_num_threads())
        return forward(network, inputs)

    monkeypatch.setattr(logits, "timed_forward", watched)
    return seen


def run_of(study: Study, threads: int | None, settings: RunSettings, runtime: str = "torch") -> LiveRun:
    networks, problems = load_networks(study, BOTH, runtime=runtime, threads=threads)
    assert not problems
    return LiveRun(study, networks, Drawn(tiny_examples("sst2", 16), 16, "made up"), settings, "validation")


@contextmanager
def in_a_thread_begun_with(count: int) -> Iterator[Callable[[Callable[[], Any]], Any]]:
    """A thread that began while a run took so many threads, and does things once that has given them back."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        with computing(), using_threads(count):
            assert pool.submit(torch.get_num_threads).result() == count
        yield lambda work: pool.submit(work).result()


@pytest.mark.parametrize(("threads", "used"), [(1, 1), (2, 2), (None, ALL)])
@pytest.mark.parametrize("length", [None, 16])
def test_batches_are_computed_with_the_threads_that_rows_name(
    study: Callable[[str], Study],
    taken: list[int],
    monkeypatch: pytest.MonkeyPatch,
    threads: int | None,
    used: int,
    length: int | None,
) -> None:
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 5)
    run = run_of(study("sst2"), threads, RunSettings(8, length))
    between = [torch.get_num_threads() for _ in run.steps()]
    assert set(taken) == {used}
    assert between == [ALL] * (2 if length is None else 7)
    assert [row["threads"] for row in run.rows()] == [used, used]


def test_a_batch_that_fails_gives_the_threads_back(study: Callable[[str], Study]) -> None:
    run = run_of(study("sst2"), 1, RunSettings(8, None))
    seen: list[int] = []

    def fail(**_: Any) -> None:
        seen.append(torch.get_num_threads())
        raise ZeroDivisionError

    broken = [replace(network, model=fail) for network in run.networks]
    with pytest.raises(ZeroDivisionError):
        list(LiveRun(run.study, broken, run.drawn, run.settings, run.split).steps())
    assert seen == [1]
    assert torch.get_num_threads() == ALL
    assert not TIMING_LOCK._is_owned()  # type: ignore[attr-defined]


def test_answers_take_all_threads_beside_a_run_that_takes_fewer(
    study: Callable[[str], Study], networks: Callable[[str], list[Network]], taken: list[int]
) -> None:
    asked = networks("sst2")
    steps = run_of(study("sst2"), 1, RunSettings(8, None)).steps()
    next(steps)
    taken.clear()
    with in_a_thread_begun_with(1) as do:
        do(lambda: predict(asked, "a warm film"))
        assert do(lambda: conditions(None, "cpu"))["threads"] == ALL
    assert set(taken) == {ALL}
    taken.clear()
    list(steps)
    assert set(taken) == {1}
    late: list[int] = []
    thread = threading.Thread(target=lambda: late.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert late == [ALL]


def test_widths_are_timed_with_all_threads(monkeypatch: pytest.MonkeyPatch, studies: dict[str, Study]) -> None:
    monkeypatch.setattr("pruning.measure.latency_table.latency_table", lambda *_, **__: torch.get_num_threads())
    with in_a_thread_begun_with(1) as do:
        measured = do(lambda: time_limit.measured_here(studies["sst2"].shape, 1))
    assert measured.table == measured.conditions["threads"] == ALL


def test_what_all_threads_are_is_asked_before_anybody_takes_fewer() -> None:
    assert all_threads() == ALL
    with using_threads(1):
        assert all_threads() == ALL


@pytest.mark.parametrize(("threads", "expected"), [(1, False), (2, True), (None, True)])
def test_others_on_cores_that_a_run_leaves_free_are_not_in_its_way(
    study: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch, threads: int | None, expected: bool
) -> None:
    monkeypatch.setattr("slimviz.live.others_at_work.os.cpu_count", lambda: 2)
    monkeypatch.setattr("slimviz.live.others_at_work.OthersAtWork.cores", lambda _: 1.0)
    run = run_of(study("sst2"), threads, RunSettings(8, None))
    next(run.steps())
    assert [row["is_busy"] for row in run.rows()] == [expected, expected]


def test_a_graph_is_opened_once_for_each_number_of_threads(
    study: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    _export.clear()
    opened: list[int] = []
    session = onnxruntime.InferenceSession

    def recorded(model: bytes, options: onnxruntime.SessionOptions, **named: Any) -> onnxruntime.InferenceSession:
        opened.append(options.intra_op_num_threads)
        return session(model, options, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", recorded)
    for threads in (1, None, 1, ALL):
        run = run_of(study("sst2"), threads, RunSettings(8, None), "onnx")
        list(run.steps())
        assert [row["threads"] for row in run.rows()] == [threads or ALL] * 2
    assert opened == [1, 1, ALL, ALL]  # of teacher and slim
    _export.clear()
