from __future__ import annotations

from collections.abc import Callable

import pytest

from pruning.measure.latency import TIMING_LOCK
from pruning.study import Study
from slimviz.live import answers
from slimviz.live import components as module
from slimviz.live.components import ComponentRun
from slimviz.live.networks import Network


def test_networks_are_timed_in_turns_under_the_lock(
    study: Callable[[str], Study], networks: Callable[[str], list[Network]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SPEED_ROUNDS", 4)
    loaded, forward, order = networks("sst2"), answers.forward, []

    def watched(network: Network, inputs: dict) -> tuple:
        assert TIMING_LOCK._is_owned()  # type: ignore[attr-defined]
        order.append(network.variant.name)
        return forward(network, inputs)

    monkeypatch.setattr(answers, "forward", watched)
    run = ComponentRun(study("sst2"), loaded, 2, 16)
    assert run.rows() == []
    steps = list(run.steps())
    assert len(steps) == 5  # the first is not recorded
    assert steps[-1].share == 1
    slim = loaded[1].variant.name
    assert order == ["teacher", slim, slim, "teacher"] * 2 + ["teacher", slim]
    rows = run.rows()
    assert [(row["network"], row["rounds"], row["batch"], row["length"]) for row in rows] == [
        ("teacher", 4, 2, 16),
        (slim, 4, 2, 16),
    ]
    assert all(row["whole_ms"] > 0 and row["ffn_ms"] > 0 for row in rows)
    assert {"hardware", "threads", "is_busy", "device"} <= set(rows[0])


def test_a_stop_keeps_the_rounds_that_are_done(
    study: Callable[[str], Study], networks: Callable[[str], list[Network]]
) -> None:
    run = ComponentRun(study("stsb"), networks("stsb"), 1, 16)
    for number, _ in enumerate(run.steps()):
        if number == 2:
            run.stop()
    assert run.rows()[0]["rounds"] == 2
