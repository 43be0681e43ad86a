"""``run``: what it prints and stores, and the settings that options become."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pruning import pipeline
from pruning.cli.run import find_start, opening_command
from pruning.config import PRESETS, StudyConfig, with_settings
from pruning.data import Examples, StudyData, get_task, load_examples
from pruning.errors import ConfigError
from pruning.methods import shared
from pruning.study.read import read_study
from pruning.study.verify import verify
from tests.factories.quick_run import SETTING_OPTIONS
from tests.pruning.cli.commands import Made, call, content

resource = pytest.importorskip("resource", reason="limits on files need POSIX")
INTERRUPTED = "pruning: interrupted; the same command goes on where it was"


def test_run_says_what_it_held_out_and_how_to_see_the_study(own: Made) -> None:
    assert own.result.code == 0, own.result
    lines = own.result.err.splitlines()
    assert "no validation file: 6 of 60 rows held out with seed 0" in lines
    assert lines[-2:] == [
        f"Stored in {own.study}. See it in the dashboard:",
        f"  SLIMVIZ_STUDIES={own.folder}/studies streamlit run app.py",
    ]
    assert not [line for line in lines if "%|" in line]  # no bars: it was to be quiet
    variants = " ".join(line.split()[0] for line in own.result.out.splitlines())
    assert variants == "teacher one-shot-30 slim-30 one-shot-10 slim-10"
    assert re.search(r"^slim-10 +validation +Accuracy 0\.\d{4}, F1 .*total density \d\.\d%$", own.result.out, re.M)


def test_run_stores_a_whole_study(own: Made) -> None:
    assert verify(own.study) == []
    document = read_study(own.study).document
    data = document.provenance.data
    assert document.task.labels == ("no", "yes")
    assert document.provenance.command.startswith("python -m pruning run --train-file ")
    assert (data.source, data.train.rows, data.validation.rows) == ("file own.csv", 54, 6)
    assert document.config.ship == (0.1,)  # the smallest, where none was named


def test_run_as_json(similar: Made) -> None:
    assert similar.result.code == 0, similar.result
    printed = similar.result.json
    assert set(printed) == {"study", "results", "open"}
    assert printed["study"] == str(similar.study)
    assert printed["open"] == f"SLIMVIZ_STUDIES={similar.folder}/studies streamlit run app.py"
    assert [row["variant"] for row in printed["results"]] == ["teacher", "one-shot-30", "slim-30"]
    assert [list(row["metrics"]) for row in printed["results"]] == [["pearson", "spearman"]] * 3
    assert "held out" not in similar.result.err
    assert verify(similar.study) == []


@pytest.mark.parametrize(
    ("program", "installed", "expected"),
    [
        ("python -m pruning", False, "SLIMVIZ_STUDIES='my studies' streamlit run app.py"),
        ("python -m pruning", True, "slimviz dashboard 'my studies'"),
        ("python -m slimviz", False, "python -m slimviz dashboard 'my studies'"),
        ("slimviz", True, "slimviz dashboard 'my studies'"),
    ],
)
def test_run_tells_how_to_see_the_study_where_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, program: str, installed: bool, expected: str
) -> None:
    monkeypatch.setattr("pruning.cli.run.is_installed", lambda: installed)
    assert opening_command(program, Path("my studies")) == expected


def test_run_with_three_classes_and_a_budget_of_flops(three: Made) -> None:
    assert three.result.code == 0, three.result
    rows = {row["variant"]: row for row in three.result.json["results"]}
    assert list(rows) == ["teacher", "one-shot-flops-30", "slim-flops-30"]
    assert rows["slim-flops-30"]["flop_ratio"] <= 0.3
    study = read_study(three.study)
    assert (study.task.labels, study.task.metrics) == (("cold", "neither", "warm"), ("accuracy",))
    assert (three.study / "slim-flops-30").is_dir()
    assert verify(three.study) == []


class Asked(Exception):
    """What a study would be run with."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[StudyConfig, Any, dict[str, Any]]]:
    """Run a command up to the training: settings, examples and other arguments."""

    def stop(config: StudyConfig, data: Any, folder: Path, **named: Any) -> None:
        raise Asked(config, data, named | {"folder": folder})

    monkeypatch.setattr(pipeline, "run_study", stop)

    def asked(*arguments: Any) -> tuple[StudyConfig, Any, dict[str, Any]]:
        with pytest.raises(Asked) as found:
            call("run", *arguments)
        return found.value.args  # type: ignore[return-value]

    return asked


def test_options_become_settings(place: Path, tmp_path: Path, asked: Callable) -> None:
    files = ("--train-file", place / "own.csv", "--validation-file", place / "validation.csv")
    where = ("--output", tmp_path / "studies", "--runs", tmp_path / "runs", "--backbone", place / "backbone")
    how = """--preset quick --seed 7 --penalty l1 --criterion taylor --tuning full --budgets 0.2,0.3 --ship 0.3
        --budget-kind encoder_density --name mine --device cpu
        --set recover_epochs=4 --set selection.round_to=8 --set sites=hidden,ffn_hidden --set stages=slim,recover"""
    config, data, named = asked(*files, *where, *how.split())
    typed = {
        "backbone": str(place / "backbone"),
        "seed": 7,
        "slim.penalty": "l1",
        "criterion": "taylor",
        "teacher.tuning": "full",
        "budget_kind": "encoder_density",
        "budgets": (0.3, 0.2),
        "ship": (0.3,),
        "recover.epochs": 4,
        "slim.sites": ("hidden", "ffn_hidden"),
        "stages": ("slim", "recover"),
        "selection.round_to": 8,
    }
    assert config == with_settings(StudyConfig(), PRESETS["quick"] | typed)
    assert (data.task.name, len(data.train), len(data.validation["validation"])) == ("mine", 60, 12)
    assert (named["folder"], named["runs"]) == (tmp_path / "studies" / "mine", tmp_path / "runs")
    assert (named["device"], named["quiet"], named["overwrite"]) == ("cpu", False, False)


def test_milliseconds_take_the_place_of_ratios(place: Path, tmp_path: Path, asked: Callable) -> None:
    files = ("--train-file", place / "own.csv", "--output", tmp_path)
    config, _, _ = asked(*files, "--budget-ms", "2,0.5", "--batch", 8, "--length", 16, "--runtime", "onnx-int8")
    assert (config.budget_kind, config.milliseconds) == ("latency_ratio", (2.0, 0.5))
    assert (config.latency.batch, config.latency.length, config.latency.runtime) == (8, 16, "onnx-int8")


def test_quick_is_small_and_threads_are_set(place: Path, tmp_path: Path, asked: Callable) -> None:
    torch.set_num_threads(2)
    config, _, _ = asked("--train-file", place / "own.csv", "--output", tmp_path, "--preset", "quick", "--threads", 1)
    assert (config.train_rows, config.budgets, config.ship) == (2000, (0.1,), (0.1,))
    assert config.teacher.epochs + config.slim.epochs + config.recover.epochs <= 5
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_what_they_say(place: Path, tmp_path: Path, asked: Callable, preset: str) -> None:
    config, _, _ = asked("--train-file", place / "own.csv", "--output", tmp_path, "--preset", preset)
    expected = with_settings(StudyConfig(), PRESETS[preset])
    assert config.replace(backbone=expected.backbone) == expected


def test_a_rival_makes_a_study_of_its_own(place: Path, tmp_path: Path, asked: Callable) -> None:
    """The task keeps its name, so that the teacher is trained once for all methods."""
    config, data, named = asked("--train-file", place / "own.csv", "--output", tmp_path, "--method", "kwon")
    assert config == with_settings(StudyConfig(), {"backbone": config.backbone, "method": "kwon"})
    assert (data.task.name, named["folder"]) == ("own", tmp_path / "own-kwon")
    _, _, named = asked("--train-file", place / "own.csv", "--output", tmp_path, "--method", "kwon", "--name", "mine")
    assert named["folder"] == tmp_path / "mine"


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("--method obert", "argument --method: invalid choice: 'obert'"),
        ("--set method=obert", "method 'obert': leaves what a study cannot hold, which a sweep measures; expected one"),
        ("--method kwon --preset slimming", "method kwon: cuts the teacher as it is, expected no slim among the"),
        ("--method kwon --criterion taylor", "--criterion taylor: method kwon ranks units by its own"),
        ("--method slimbert --preset one-shot", "method slimbert: solves no matrices, expected recover among"),
    ],
)
def test_methods_that_cannot_make_a_study_are_refused(place: Path, tmp_path: Path, typed: str, problem: str) -> None:
    result = call("run", "--train-file", place / "own.csv", "--output", tmp_path, *typed.split())
    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert not list(tmp_path.iterdir())


def test_a_penalty_without_slimming_is_refused(place: Path, tmp_path: Path) -> None:
    result = call("run", "--train-file", place / "own.csv", "--output", tmp_path, "--penalty", "l1")
    assert (result.code, result.out) == (2, "")
    assert result.err.endswith("--penalty l1: nothing is slimmed, expected --preset slimming\n")


def frame(*sentences: str) -> pd.DataFrame:
    return pd.DataFrame({"sentence": sentences, "label": [0, 1] * (len(sentences) // 2), "idx": range(len(sentences))})


@pytest.mark.parametrize(
    ("task", "study", "message"),
    [
        ("mrpc", "stsb", "stsb's texts may be mrpc's evaluation data"),
        ("sst2", "sst2", "sst2's texts may be sst2's evaluation data"),
        ("cola", "sst2", "1 rows it learned from share a sentence with evaluation data"),
    ],
)
def test_a_teacher_that_knows_evaluation_data_is_no_start(tmp_path: Path, task: str, study: str, message: str) -> None:
    for name, split, rows in (
        ("sst2", "train", ("one", "A second!", "three", "four")),
        ("cola", "validation", ("a second", "other")),
        ("cola", "train", ("five", "six")),
    ):
        (tmp_path / name).mkdir(exist_ok=True)
        frame(*rows).to_parquet(tmp_path / name / f"{split}.parquet")
    validation = load_examples(get_task("cola"), "validation", str(tmp_path))
    data = StudyData(get_task(task), validation, {"validation": validation}, "made up")
    with pytest.raises(ConfigError, match=f"^teacher-from {study}: {message}$"):
        find_start(f"assets/studies/{study}", data, str(tmp_path))


def test_a_teacher_that_knows_none_is_one(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    frame("one", "two").to_parquet(tmp_path / "sst2" / "train.parquet")
    apart = Examples(("three",), None, np.array([1]), "made up")
    data = StudyData(get_task("cola"), apart, {"validation": apart}, "made up")
    start = find_start("assets/studies/sst2", data, str(tmp_path))
    assert (start.name, start.folder.name) == ("sst2", "teacher")


def test_a_glue_task_from_a_folder(place: Path, tmp_path: Path, asked: Callable) -> None:
    (tmp_path / "glue" / "mnli").mkdir(parents=True)
    frame = pd.DataFrame({"premise": ["a", "b", "c"], "hypothesis": ["d", "e", "f"], "label": [0, 1, 2]})
    for split in ("train", "validation_matched", "validation_mismatched"):
        frame.to_parquet(tmp_path / "glue" / "mnli" / f"{split}.parquet")
    where = ("--output", tmp_path / "s", "--runs", tmp_path / "runs", "--backbone", place / "backbone")
    _, data, named = asked("--task", "mnli", "--data", tmp_path / "glue", *where, "--device", "cpu")
    assert list(data.validation) == ["validation_matched", "validation_mismatched"]
    assert (data.source, named["folder"].name) == ("folder glue", "mnli")


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--seed", "1"), r"own: holds another study \(.*seed.*expected a name of its own, such as 'own-2'$"),
        (("--overwrite", "--set", "slim_rate=0.1"), r"own: holds another study \(config.slim"),
        ((), r"own: this study is stored there already, expected a name of its own, such as 'own-2'"),
    ],
)
def test_another_study_in_the_way(own: Made, more: tuple[str, ...], message: str) -> None:
    before = content(own.study)
    result = call(*own.typed, *more)
    assert (result.code, result.out) == (2, "")
    assert re.search(message, result.err.splitlines()[-1]), result
    assert content(own.study) == before


@pytest.mark.parametrize("full_at", ["a weights file", "the optimiser's state", "the answers"])
def test_a_full_disk_while_training_is_named(own: Made, tmp_path: Path, full_at: str) -> None:
    """Limited to files of some size, writers fail as they do on a full disk; with room again the command goes on."""
    trained = next(own.folder.glob("runs/**/teacher*/**/model.safetensors")).stat().st_size
    answers = next(own.folder.glob("runs/**/hidden.f16")).stat().st_size
    limit = {"a weights file": 2000, "the optimiser's state": trained + 1000, "the answers": answers - 100}[full_at]
    typed = [
        *("run", "--train-file", own.folder / "own.csv", "--backbone", own.backbone, "--budgets", "0.3"),
        *("--output", tmp_path / "studies", "--runs", tmp_path / "runs", *SETTING_OPTIONS[:-4]),
        *("--device", "cpu", "--quiet"),
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        result = call(*typed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.code == 2, result
    line = result.err.splitlines()[-1]
    assert line.startswith("pruning: ")
    assert str(tmp_path / "runs") in line
    assert "expected" in line
    assert not list((tmp_path / "studies").iterdir())
    if full_at == "the optimiser's state":
        assert call(*typed).code == 0
        assert verify(tmp_path / "studies" / "own") == []


def test_an_error_of_the_disk_without_a_path_names_the_runs(
    own: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*given: Any, **named: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")  # what a stream's `write` says: no file name

    monkeypatch.setattr(shared, "train_teacher", write)
    result = call(*own.typed, "--runs", tmp_path / "runs", "--output", tmp_path)
    line = result.err.splitlines()[-1]
    assert result.code == 2
    assert re.fullmatch(rf"pruning: {tmp_path}/runs/own/teacher-\w+: No space left on device; expected .*", line), line


def test_interrupted(own: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "run_study", lambda *given, **named: signal.raise_signal(signal.SIGTERM))
    result = call(*own.typed, "--overwrite")
    assert (result.code, result.err.splitlines()[-1]) == (130, INTERRUPTED)


def test_a_bar_does_not_stand_in_the_last_lines_way(own: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pruning.training.progress import StudyProgress

    def interrupt(*arguments: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyProgress, "on_epoch_end", interrupt)
    typed = [part for part in own.typed if part != "--quiet"]
    result = call(*typed, "--runs", tmp_path, "--output", tmp_path / "studies")
    assert result.code == 130
    assert "teacher: " in result.err
    assert result.err.splitlines()[-1] == INTERRUPTED
