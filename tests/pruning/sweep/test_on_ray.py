"""Two workers of a real Ray cluster on this machine; one of them is killed in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pruning.cli.machine import quieten
from pruning.sweep.schedule import side_by_side
from tests.factories.tiny_sweep import place_of
from tests.pruning.sweep.conftest import Swept, assert_same

ray = pytest.importorskip("ray", reason="requirements-ray.txt is not installed")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RAY_worker_niceness", "0")  # by default workers give way to everything, other tests too
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        runtime_env={"env_vars": {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"}},
    )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_a_cluster_ends_with_the_same_networks_although_a_worker_is_killed(swept: Swept) -> None:
    from pruning.sweep.on_ray import RayCrew

    place = place_of(swept.folder, "ray", workers=2)
    crew = RayCrew(place, quieten)
    hired: dict[int, Any] = {}  # by the number of their process
    hire = crew.hire

    def noted(number: int) -> Any:
        worker = hire(number)
        hired[ray.get(worker.actor.process.remote())] = worker
        return worker

    crew.hire = noted  # type: ignore[method-assign]
    outcomes = []
    for outcome in side_by_side(swept.cells, crew, 2):
        if not outcomes:
            (busy,) = [pid for pid, worker in hired.items() if not ray.wait([worker.answer], timeout=0)[0]]
            os.kill(busy, signal.SIGKILL)
        outcomes.append(outcome)
    assert len(hired) == 3
    assert {outcome.cell for outcome in outcomes if not outcome.error} == set(swept.cells)
    assert_same(swept, place)
