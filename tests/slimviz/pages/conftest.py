"""Pages say where a machine is busy, and the one that tests run on may be; runs of Live on little."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.tiny_study import write_probe
from tests.slimviz.pages.live_runs import EXAMPLES


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work."""
    monkeypatch.setattr("slimviz.live.others_at_work.OthersAtWork.cores", lambda _: 0.0)


@pytest.fixture
def quick_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network_cached: None) -> Iterator[None]:
    """Live has small probe sets of SST-2 and STS-B alone, times few rounds, and finds no network of another test."""
    from slimviz.live.networks import _export

    for task in ("sst2", "stsb"):
        write_probe(tmp_path / "probe", task, count=EXAMPLES)
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    monkeypatch.setattr("slimviz.live.examples._hub_answers", lambda: False)
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 5)
    monkeypatch.delenv("SLIMVIZ_GLUE", raising=False)
    _export.clear()
    yield
    _export.clear()
