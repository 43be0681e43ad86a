"""A stage's identity is all that it depends on; one run works on it at a time, and its seconds are those of work."""

from __future__ import annotations

import errno
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from pruning import stages as module
from pruning.config import TeacherSettings
from pruning.errors import TrainingError
from pruning.selection.budget import Budget
from pruning.stages import Stage, Stages

INPUTS = {"backbone": "a" * 64, "seed": 0, "precision": "float32"}


def enter(folder: Path, name: str = "teacher", earlier: tuple[Stage, ...] = (), **settings: Any) -> Stage:
    with Stages(folder, INPUTS).enter(name, settings, *earlier) as stage:
        return stage


def test_the_same_settings_give_the_same_folder(tmp_path: Path) -> None:
    first = enter(tmp_path, teacher=TeacherSettings(), budget=Budget("total_density", 0.1))
    again = enter(tmp_path, teacher=TeacherSettings(), budget=Budget("total_density", 0.1))
    assert first == again
    assert first.folder.name.startswith("teacher-")


def test_whatever_differs_gives_another_folder(tmp_path: Path) -> None:
    before = enter(tmp_path, epochs=1)
    others = [
        enter(tmp_path, epochs=2),
        enter(tmp_path, epochs=1, rate=1),
        enter(tmp_path, "slim", epochs=1),
        enter(tmp_path, earlier=(before,), epochs=1),
        enter(tmp_path, teacher=TeacherSettings(rank=8)),
        enter(tmp_path, teacher=TeacherSettings(rank=9)),
    ]
    with Stages(tmp_path, INPUTS | {"seed": 1}).enter("teacher", {"epochs": 1}) as stage:
        others.append(stage)
    assert len({stage.folder for stage in [before, *others]}) == 1 + len(others)


def test_what_was_hashed_can_be_read(tmp_path: Path) -> None:
    before = enter(tmp_path)
    stage = enter(tmp_path, "slim", (before,), teacher=TeacherSettings())
    described = json.loads((stage.folder / "stage.json").read_text())
    assert described["stage"] == "slim"
    assert described["settings"]["teacher"]["rank"] == 16
    assert described["inputs"] == INPUTS
    assert described["after"] == {"teacher": before.identity}


def test_a_folder_of_another_stage_is_refused(tmp_path: Path) -> None:
    stage = enter(tmp_path)
    (stage.folder / "stage.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"stage\.json: describes another stage, expected teacher with these"):
        enter(tmp_path)


def test_two_runs_take_turns_and_the_second_finds_the_result(tmp_path: Path) -> None:
    said, found = [], []
    waiting = threading.Event()

    def second() -> None:
        stages = Stages(tmp_path, INPUTS, lambda line: (said.append(line), waiting.set()))
        with stages.enter("teacher", {}) as stage:
            found.append((stage.folder / "result").exists())

    with Stages(tmp_path, INPUTS).enter("teacher", {}) as stage:
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        (stage.folder / "result").touch()
    thread.join(10)
    assert found == [True]
    assert said == ["teacher: another run is at this stage, waiting for it"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def spend(folder: Path, clock: list[float], seconds: float, error: type[BaseException] | None = None) -> float:
    stages = Stages(folder, INPUTS)
    try:
        with stages.enter("teacher", {}):
            clock[0] += seconds
            if error is not None:
                raise error
    except (KeyboardInterrupt, RuntimeError):
        pass
    return stages.seconds["teacher"]


def test_seconds_of_interrupted_runs_add_up(tmp_path: Path, clock: list[float]) -> None:
    assert spend(tmp_path, clock, 3, KeyboardInterrupt) == 3
    assert spend(tmp_path, clock, 4, RuntimeError) == 7
    assert spend(tmp_path, clock, 1) == 8


def test_finding_a_finished_stage_costs_nothing(tmp_path: Path, clock: list[float]) -> None:
    """However long it takes to load."""
    assert spend(tmp_path, clock, 2) == 2
    assert spend(tmp_path, clock, 60) == 2
    assert spend(tmp_path, clock, 60, KeyboardInterrupt) == 2


def test_seconds_that_cannot_be_read_are_none(tmp_path: Path, clock: list[float]) -> None:
    spend(tmp_path, clock, 2)
    path = next(tmp_path.glob("teacher-*/seconds.json"))
    for damaged in ("", "[]", '{"seconds": "x"}'):
        path.write_text(damaged)
        assert spend(tmp_path, clock, 1) == 1


def test_a_full_disk_names_the_stages_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught, Stages(tmp_path, INPUTS).enter("teacher", {}) as stage:
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value).startswith(f"{stage.folder}: No space left on device; expected free disk")


def test_a_run_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(TrainingError, match=r"runs/teacher-\w+: Not a directory; expected free disk, and a folder"):
        enter(tmp_path / "runs")
