"""A profile has a row for every size, network and runtime, and says what it could not have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pruning.errors import MeasureError
from pruning.export import Trial
from pruning.measure import blocks
from pruning.measure.logits import predict_logits
from pruning.measure.network import Network
from pruning.runtimes import profile as module
from pruning.runtimes.kind import Runtime
from pruning.runtimes.profile import Sizes, profile
from pruning.runtimes.registry import REFERENCE, RUNTIMES
from pruning.variants import TEACHER, Variant
from tests.pruning.runtimes.conftest import SMALL

QUICK = Sizes(threads=(1,), batches=(2, 1), lengths=(6,), runtimes=("torch",), seconds=0.0)


def reversed_logits(network: Network, threads: int) -> Any:
    """Answers that are never torch's."""
    return lambda inputs: lambda: network.model(**inputs).logits.flip(1).numpy()


def failing(network: Network, threads: int) -> Any:
    """Works for the teacher alone."""
    if network.model.config.num_labels and type(network.model).__name__.startswith("Slim"):
        raise MeasureError("no small networks here")
    return REFERENCE.opened(network, threads)


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Runtime]:
    """Torch and three made-up ones."""
    known = {
        "torch": REFERENCE,
        "reversed": Runtime("reversed", "Reversed", lambda: None, reversed_logits),
        "absent": Runtime("absent", "Absent", lambda: "absent: not installed", reversed_logits),
        "failing": Runtime("failing", "Failing", lambda: None, failing),
    }
    monkeypatch.setattr(module, "RUNTIMES", known)
    return known


def test_a_row_for_every_size_network_and_runtime(
    networks: dict[Variant, Network], trial: Trial, runtimes: dict[str, Runtime]
) -> None:
    lines: list[str] = []
    found = profile(networks, trial, replace(QUICK, runtimes=tuple(runtimes), threads=(1, 2)), lines.append)
    assert [(row.threads, row.length, row.batch, row.network, row.runtime) for row in found.rows] == [
        (threads, length, batch, network, runtime)
        for threads in (1, 2)
        for length in (6, "real")
        for batch in (2, 1)
        for network in ("teacher", "slim-10")
        for runtime in ("torch", "reversed")
    ]
    assert all(row.turns == 5 for row in found.rows)
    reference = [row.speedup for row in found.rows if (row.network, row.runtime) == ("teacher", "torch")]
    assert {(one.times, one.low, one.high) for one in reference} == {(1.0, 1.0, 1.0)}
    assert len(found.best) == 8
    assert {one.dense for one in found.best} | {one.small for one in found.best} <= {"torch", "reversed"}
    assert found.missing == {"absent": "absent: not installed", "failing": "no small networks here"}
    assert lines.count("without Absent: absent: not installed") == 1
    assert lines.count("without Failing: no small networks here") == 1
    assert found.texts == trial.examples.origin


def test_how_alike_answers_are(networks: dict[Variant, Network], trial: Trial, runtimes: dict[str, Runtime]) -> None:
    found = profile(networks, trial, replace(QUICK, runtimes=("reversed",)))
    alike = {(one.network, one.runtime): one.fidelity for one in found.alike}
    assert {one.texts for one in found.alike} == {len(trial.examples)}
    for variant in networks:
        assert alike[variant.name, "torch"].agreement == 1
        assert alike[variant.name, "torch"].divergence == pytest.approx(0, abs=1e-9)
        assert alike[variant.name, "reversed"].agreement == 0


def test_answers_are_scored_by_the_labels_where_that_is_asked(
    networks: dict[Variant, Network], trial: Trial, runtimes: dict[str, Runtime]
) -> None:
    assert profile(networks, trial, QUICK).scores is None
    found = profile(networks, trial, replace(QUICK, runtimes=("reversed",), is_scored=True))
    assert found.texts_sha256 == trial.examples.sha256
    scored = {(one.network, one.runtime): one for one in found.scores or ()}
    assert list(scored) == [(one.network, one.runtime) for one in found.alike]
    labels, count = trial.examples.labels, len(trial.examples)
    right = {}
    for variant, network in networks.items():
        # the one loop that everything else is scored by, in batches
        right[variant.name] = int((predict_logits(network, trial.examples).argmax(-1) == labels).sum())
        own = scored[variant.name, "torch"]
        assert (own.count, own.correct, own.metrics) == (count, right[variant.name], {"accuracy": own.correct / count})
        assert scored[variant.name, "reversed"].correct == count - right[variant.name]  # of two classes
    assert scored["teacher", "torch"].interval is None
    for key in set(scored) - {("teacher", "torch")}:
        interval = scored[key].interval
        assert interval is not None
        assert interval.difference == pytest.approx(scored[key].metrics["accuracy"] - right["teacher"] / count)
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= interval.difference <= interval.high


def test_the_best_small_one_against_the_best_dense_one(
    networks: dict[Variant, Network], trial: Trial, runtimes: dict[str, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = {
        (TEACHER, "torch"): [10.0, 20.0, 10.0],
        (TEACHER, "reversed"): [8.0, 16.0, 8.0],
        (SMALL, "torch"): [2.0, 4.0, 2.0],
        (SMALL, "reversed"): [5.0, 10.0, 5.0],
    }
    monkeypatch.setattr(module, "in_blocks", lambda calls, blocks: {key: np.array(taken[key]) for key in calls})
    found = profile(networks, trial, replace(QUICK, runtimes=("reversed",)))
    assert [(one.dense, one.small, one.speedup.times) for one in found.best] == [("reversed", "torch", 4.0)] * 4
    rows = {(row.network, row.runtime): (row.median_ms, row.speedup.times) for row in found.rows}
    assert rows[SMALL.name, "torch"] == (2.0, 5.0)
    assert rows[TEACHER.name, "reversed"] == (8.0, 1.25)


def test_a_teacher_alone_has_nothing_to_be_compared_with(networks: dict[Variant, Network], trial: Trial) -> None:
    found = profile({TEACHER: networks[TEACHER]}, trial, QUICK)
    assert (found.best, {row.network for row in found.rows}) == ((), {"teacher"})


def test_lengths_that_a_network_reads(networks: dict[Variant, Network], trial: Trial) -> None:
    assert Sizes(threads=(1,)).tokens(networks) == (16,)
    shorter = {variant: replace(network, max_length=12) for variant, network in networks.items()}
    assert Sizes(threads=(1,)).tokens(shorter) == (12,)
    with pytest.raises(MeasureError, match="profile: texts of 33 tokens, expected at most 32"):
        profile(networks, trial, replace(QUICK, lengths=(6, 33)))


def test_no_batch_has_more_real_texts_than_there_are(networks: dict[Variant, Network], trial: Trial) -> None:
    count = len(trial.examples)
    found = profile({TEACHER: networks[TEACHER]}, trial, replace(QUICK, batches=(count, count + 1)))
    assert [(row.length, row.batch) for row in found.rows] == [(6, count), (6, count + 1), ("real", count)]


def test_every_turn_reads_other_real_texts(
    networks: dict[Variant, Network], trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def watching(network: Network, threads: int) -> Any:
        def bound(inputs: Any) -> Any:
            return lambda: seen.append(inputs["input_ids"].tolist()) or network.model(**inputs).logits

        return bound

    watched = Runtime("torch", "torch", lambda: None, watching)
    monkeypatch.setattr(module, "REFERENCE", watched)
    monkeypatch.setattr(module, "RUNTIMES", {"torch": watched})
    monkeypatch.setattr(blocks, "SLOW_MS", 0.0)
    profile({TEACHER: networks[TEACHER]}, trial, replace(QUICK, batches=(1,)))
    assert len(seen) == len(trial.examples) + (2 + 5) + (2 + 5)
    real = seen[-5:]
    assert real == seen[:5]
    assert len({len(ids[0]) for ids in real}) > 1
    assert RUNTIMES["torch"] is REFERENCE
