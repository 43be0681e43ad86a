"""One live run: where examples come from, what is recorded, what a stop leaves."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruning.data.tasks import TASKS, Task, custom_task, get_task
from pruning.errors import DataError
from pruning.measure import metrics as evaluate
from pruning.measure.intervals import paired_bootstrap
from pruning.measure.logits import predict_logits
from pruning.study import read_study
from pruning.variants import TEACHER, slim
from slimviz.live import answers
from slimviz.live.examples import Drawn, _hub_answers, data_choices, draw
from slimviz.live.networks import Network, load_networks
from slimviz.live.run import FEWEST_ROUNDS, LiveRun, RunSettings, in_turns
from tests.factories.tiny_study import BUDGET, tiny_examples, write_probe, write_tiny_study

BOTH = (TEACHER, slim(BUDGET))
REAL_TEXTS = RunSettings(8, None)


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    for task in ("sst2", "stsb"):
        write_tiny_study(folder, task)
    return folder


@pytest.fixture
def no_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No GLUE folder named, no hub, and an empty folder for probe sets, which is returned."""
    monkeypatch.delenv("SLIMVIZ_GLUE", raising=False)
    monkeypatch.setattr("slimviz.live.examples._hub_answers", lambda: False)
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    return tmp_path / "probe"


def start(
    folder: Path, name: str = "sst2", count: int = 20, settings: RunSettings = REAL_TEXTS, variants: Any = BOTH
) -> LiveRun:
    study = read_study(folder / name)
    networks, problems = load_networks(study, variants)
    assert not problems
    return LiveRun(study, networks, Drawn(tiny_examples(name, count), 2 * count, "made up"), settings, "validation")


# Examples


def test_where_examples_may_come_from(no_sources: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [choice.source for choice in data_choices(get_task("sst2"))] == ["hub"]
    write_probe(no_sources, "sst2")
    titles = [choice.title for choice in data_choices(get_task("sst2"))]
    assert titles == ["GLUE validation, from the Hugging Face hub", "Probe set, written for this project"]
    monkeypatch.setenv("SLIMVIZ_GLUE", str(tmp_path / "my-glue"))
    assert data_choices(get_task("sst2"))[0].title == "GLUE validation, from the folder my-glue"
    assert data_choices(custom_task("mine", ("text",), ("a", "b"))) == []


def test_the_probe_set_takes_the_place_of_what_cannot_be_read_and_says_so(no_sources: Path) -> None:
    write_probe(no_sources, "sst2", count=24)
    drawn = draw(get_task("sst2"), "validation", "hub", None)
    assert drawn.title == "the probe set (written for this project)"
    assert drawn.note is not None
    assert "hub did not answer within 3 seconds" in drawn.note
    assert "SLIMVIZ" not in drawn.note  # that is for those who type commands
    assert drawn.note.endswith("The probe set takes its place.")
    assert (len(drawn.examples), drawn.available) == (24, 24)
    drawn = draw(get_task("sst2"), "validation", "/no/such/folder", None)
    assert drawn.note is not None
    assert "probe" in drawn.title


@pytest.mark.parametrize(("task", "split"), [(task, split) for task in TASKS.values() for split in task.validation])
def test_each_task_has_a_bundled_probe_set_to_fall_back_to(
    task: Task, split: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimviz.live.examples._hub_answers", lambda: False)
    drawn = draw(task, split, "hub", None)
    assert drawn.title == "the probe set (written for this project)"
    assert drawn.note is not None
    assert drawn.available >= 128
    if task.labels is not None:
        assert set(drawn.examples.labels.tolist()) == set(range(len(task.labels)))


def test_the_probe_set_asked_for_is_no_surprise(no_sources: Path) -> None:
    write_probe(no_sources, "stsb")
    assert draw(get_task("stsb"), "validation", "probe", None).note is None


def test_with_no_examples_at_all_there_is_one_line(no_sources: Path) -> None:
    with pytest.raises(DataError, match="hub did not answer"):
        draw(get_task("sst2"), "validation", "hub", None)
    with pytest.raises(DataError, match="no probe set"):
        draw(get_task("sst2"), "validation", "probe", None)


def test_a_folder_is_read_and_named(no_sources: Path, tmp_path: Path) -> None:
    rows = "".join(f"a film that is good {number}\t{number % 2}\n" for number in range(40))
    (tmp_path / "glue" / "SST-2").mkdir(parents=True)
    (tmp_path / "glue" / "SST-2" / "dev.tsv").write_text(f"sentence\tlabel\n{rows}")
    drawn = draw(get_task("sst2"), "validation", str(tmp_path / "glue"), 16)
    assert (drawn.title, drawn.note) == ("GLUE SST-2 validation (folder)", None)
    assert (len(drawn.examples), drawn.available) == (16, 40)
    again = draw(get_task("sst2"), "validation", str(tmp_path / "glue"), 16)
    assert drawn.examples.sha256 == again.examples.sha256
    assert drawn.examples.texts != tuple(f"a film that is good {number}" for number in range(16))


def test_the_hub_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert _hub_answers() is False
    monkeypatch.setenv("HF_ENDPOINT", "nonsense")
    assert _hub_answers() is False
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # its cache may hold GLUE, so it is asked
    assert _hub_answers() is True


# Runs


def test_a_complete_run_says_what_evaluate_says(tiny_folder: Path) -> None:
    run = start(tiny_folder, count=20)
    steps = list(run.steps())
    assert [round(step.share, 3) for step in steps] == [0.333, 0.667, 1.0]
    assert steps[1].text == "16 of 20 examples answered by both networks"
    teacher, slim = run.rows()
    task, examples = get_task("sst2"), tiny_examples("sst2", 20)
    logits = [predict_logits(network, examples) for network in run.networks]
    for row, wanted in zip((teacher, slim), logits, strict=True):
        assert row["status"] == "complete"
        assert row["accuracy"] == evaluate.metrics(task, wanted, examples.labels)["accuracy"]
        assert row["correct"] == evaluate.correct(task, wanted, examples.labels)
        assert (row["examples"], row["examples_available"], row["data"]) == (20, 40, "made up")
        assert row["floor"] == 0.5
        assert row["timed_batches"] == 2  # the third one is not full
        assert 0 < row["median_ms"] <= row["p95_ms"]
        assert row["texts_per_second"] > 0
    interval = paired_bootstrap(task, logits[1], logits[0], examples.labels)
    assert (slim["difference"], slim["low"], slim["high"]) == (interval.difference, interval.low, interval.high)
    assert slim["retention"] == pytest.approx(slim["accuracy"] / teacher["accuracy"])
    assert slim["speedup"] == pytest.approx(teacher["median_ms"] / slim["median_ms"])
    assert "difference" not in teacher
    assert teacher["speedup"] == 1
    json.dumps([teacher, slim])


def test_stopped_between_two_batches_both_have_answered_the_same(tiny_folder: Path) -> None:
    run = start(tiny_folder, count=20)
    assert run.rows() == []
    steps = run.steps()
    next(steps)
    run.stop()
    assert list(steps) == []
    teacher, slim = run.rows()
    assert (teacher["status"], teacher["examples"], slim["examples"]) == ("stopped", 8, 8)
    examples = tiny_examples("sst2", 20).take(range(8))
    wanted = predict_logits(run.networks[0], examples)
    assert teacher["correct"] == evaluate.correct(get_task("sst2"), wanted, examples.labels)


def test_a_batch_is_recorded_for_all_networks_at_once(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A click starts a new script while the old one still computes: what it then reads must be whole."""
    run, seen, forward = start(tiny_folder, count=20), [], answers.forward

    def watched(network: Network, inputs: dict) -> tuple[np.ndarray, float]:
        seen.append([row["examples"] for row in run.rows()])
        return forward(network, inputs)

    monkeypatch.setattr("slimviz.live.answers.forward", watched)
    list(run.steps())
    assert seen == [[], [], [], [], [8, 8], [8, 8], [16, 16], [16, 16]]


def test_at_a_fixed_length_the_made_up_texts_are_timed(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 7)
    run = start(tiny_folder, settings=RunSettings(8, 16))
    lengths, forward = [], answers.forward

    def watched(network: Network, inputs: dict) -> tuple[np.ndarray, float]:
        lengths.append(tuple(inputs["input_ids"].shape))
        return forward(network, inputs)

    monkeypatch.setattr("slimviz.live.answers.forward", watched)
    steps = list(run.steps())
    assert steps[-1].text == "timing: round 7 of 7"
    assert lengths[-14:] == [(8, 16)] * 14
    assert all((row["timed_batches"], row["length"]) == (7, 16) for row in run.rows())


def test_slow_rounds_end_early_but_not_before_five(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimviz.live.run.SPEED_SECONDS", 0.0)
    run = start(tiny_folder, settings=RunSettings(1, 16))
    list(run.steps())
    assert {row["timed_batches"] for row in run.rows()} == {FEWEST_ROUNDS}
    assert {row["status"] for row in run.rows()} == {"complete"}


def test_who_goes_first_changes() -> None:
    assert [in_turns(number, 2) for number in range(3)] == [[0, 1], [1, 0], [0, 1]]


def test_speed_alone(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 5)
    run = start(tiny_folder)
    run = LiveRun(run.study, run.networks, None, RunSettings(1, 16), "validation")
    list(run.steps())
    for row in run.rows():
        assert "metric" not in row
        assert row["data"] is None
        assert row["median_ms"] > 0


def test_the_slim_network_alone_is_compared_with_nothing(tiny_folder: Path) -> None:
    run = start(tiny_folder, variants=BOTH[1:])
    steps = list(run.steps())
    assert steps[0].text.endswith("by the network")
    (row,) = run.rows()
    assert not {"difference", "retention", "speedup"} & set(row)
    assert row["correct"] is not None


def test_a_regression_has_correlations_and_no_count(tiny_folder: Path) -> None:
    run = start(tiny_folder, "stsb")
    list(run.steps())
    for row in run.rows():
        assert row["correct"] is None
        assert row["metric"] == "pearson"
        assert math.isfinite(row["spearman"])


def test_a_single_example_and_a_single_class_are_measured_too(tiny_folder: Path) -> None:
    run = start(tiny_folder)
    assert run.drawn is not None
    one = Drawn(run.drawn.examples.take([1]), 1, "one")
    alone = LiveRun(run.study, run.networks, one, REAL_TEXTS, "validation")
    list(alone.steps())
    teacher, slim = alone.rows()
    assert teacher["timed_batches"] == 1  # no batch is full, so that one has to do
    assert teacher["floor"] == 1.0
    assert slim["low"] <= slim["difference"] <= slim["high"]


def test_an_answer_that_is_no_number_is_one_line(tiny_folder: Path) -> None:
    import torch

    run = start(tiny_folder)
    broken = [replace(network, model=copy.deepcopy(network.model)) for network in run.networks]
    with torch.no_grad():
        broken[1].model.classifier.bias.fill_(float("nan"))
    run = LiveRun(run.study, broken, run.drawn, REAL_TEXTS, "validation")
    list(run.steps())
    with pytest.raises(DataError, match="not finite"):
        run.rows()
