"""Workers end with what one process ends with, to the bit, also where one of them or the whole sweep is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from pruning.cli.machine import quieten
from pruning.sweep.local import LocalCrew, core_sets
from pruning.sweep.result import path_of, read_result, state_of
from pruning.sweep.schedule import next_cell, side_by_side
from tests.factories.tiny_sweep import place_of, quieten_or_die
from tests.pruning.sweep.conftest import Swept, assert_same

ROOT = Path(__file__).resolve().parents[3]
LONGEST_SECONDS = 300


@pytest.fixture(autouse=True)
def plain_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new process runs its parent's main module first; a page that was tested before may have put a script there."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))


def test_workers_end_with_the_same_networks_although_one_dies(
    swept: Swept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMVIZ_TEST_DIES", str(tmp_path / "died"))
    place = place_of(swept.folder, "workers", workers=2)
    outcomes = list(side_by_side(swept.cells, LocalCrew(place, quieten_or_die), 2))
    assert (tmp_path / "died").exists()
    assert {outcome.cell for outcome in outcomes} == set(swept.cells)
    assert [outcome.error for outcome in outcomes if outcome.error] == []
    assert_same(swept, place)
    assert read_result(path_of(Path(place.output), swept.cells[0])).made.workers == 2


def test_a_worker_that_always_dies_costs_its_cell_alone(swept: Swept) -> None:
    place = place_of(swept.folder, "dying", workers=1)
    (outcome,) = side_by_side(swept.cells[:1], LocalCrew(place, os.abort), 1)
    assert outcome.error == f"{outcome.cell.name}: its worker died 2 times, expected enough memory for it"


def test_a_cell_that_cannot_be_made_leaves_the_others(swept: Swept) -> None:
    bad = swept.cells[0].replace(settings=swept.cells[0].settings.replace(backbone="no-such-backbone"))
    place = place_of(swept.folder, "serial", workers=1)
    outcomes = list(side_by_side([bad, swept.cells[0]], LocalCrew(place, quieten), 1))
    assert "no-such-backbone" in outcomes[0].error
    assert outcomes[1].error == ""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_sweep_goes_on_where_it_was(swept: Swept) -> None:
    place = place_of(swept.folder, "killed")
    command = [sys.executable, "-m", "pruning", "sweep", str(swept.folder / "tiny.toml"), "--data", place.source]
    command += ["--output", place.output, "--runs", place.runs, "--device", "cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + LONGEST_SECONDS
    first = path_of(Path(place.output), swept.cells[0])
    while not first.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    left = [cell for cell in swept.cells if state_of(Path(place.output), cell) == "to do"]
    assert first.exists()
    assert left  # it was killed before its end
    before = first.stat().st_mtime_ns
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"4 cells, {4 - len(left)} of them done" in done.stderr
    assert done.stdout.startswith("method  budget  sst2")
    assert first.stat().st_mtime_ns == before
    assert_same(swept, place)


def test_cores_are_dealt_out_evenly_and_shared_where_there_are_too_few() -> None:
    assert core_sets([0, 1, 2, 3, 4], 2) == [(0, 1), (2, 3, 4)]
    assert core_sets([2, 5], 2) == [(2,), (5,)]
    assert core_sets([2, 5], 3) == [(2,), (5,), (2,)]


def test_nobody_waits_for_a_teacher_that_another_worker_trains(swept: Swept) -> None:
    assert [cell.task for cell in swept.cells] == ["sst2", "cola", "sst2", "cola"]
    assert next_cell(swept.cells, set()) == 0
    assert next_cell(swept.cells, {"sst2"}) == 1
    assert next_cell(swept.cells, {"sst2", "cola"}) is None
