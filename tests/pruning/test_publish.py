"""What is stored of a run: every number against the network it is said of, and what stands in the way of storing."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from pruning import publish as publish_module
from pruning import study as store
from pruning.bert.counts import count_flops, count_parameters
from pruning.config import StudyConfig
from pruning.data.examples import Examples
from pruning.data.study_data import StudyData
from pruning.data.tasks import custom_task, get_task
from pruning.errors import MeasureError, StoreError
from pruning.measure import networks as measure
from pruning.measure.intervals import paired_bootstrap, retention, retention_above_floor
from pruning.measure.metrics import correct, floor, metrics
from pruning.pipeline import StudyRun, identity, run_study
from pruning.publish import answer, current_commit, publish, score, stored_networks
from pruning.selection.budget import Budget
from pruning.selection.select import select, smallest_total_density
from pruning.selection.settings import SelectionSettings
from pruning.study import (
    Study,
    check_destination,
    load_factors,
    load_history,
    load_masks,
    load_pieces,
    read_study,
    verify,
)
from pruning.study.document import network_to_json
from tests.factories.own_data import made_up
from tests.factories.quick_run import BUDGETS, SETTINGS, frozen_garbage, quick_measurements
from tests.factories.tiny_backbone import write_backbone

COMMAND = "python -m pruning run --train-file own.csv"


@dataclass(frozen=True)
class Published:
    """A run and the study that was stored of it."""

    config: StudyConfig
    data: StudyData
    run: StudyRun
    study: Study

    @property
    def validation(self) -> Examples:
        """What it was scored on."""
        return self.data.validation["validation"]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_measurements(peak_memory=1_000_000), frozen_garbage():
        yield


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    write_backbone(folder / "backbone")
    data = StudyData(
        custom_task("own", ("text",), ("no", "yes")), made_up(56, 0), {"validation": made_up(30, 1)}, "file own.csv"
    )
    config = StudyConfig(backbone=str(folder / "backbone"), budgets=BUDGETS, ship=(0.1,), **SETTINGS)
    run = run_study(config, data, folder / "runs", device="cpu", quiet=True)
    study = publish(run, folder / "studies" / "own", command=COMMAND)
    return Published(config, data, run, study)


def row_of(study: Study, variant: str) -> dict[str, Any]:
    (row,) = [row for row in study.results if row["variant"] == variant]
    return row


# ---- the stored study --------------------------------------------------------------------------------------------


def test_the_study_is_whole(published: Published) -> None:
    study = read_study(published.study.folder)
    assert verify(study.folder) == []
    assert study.variants == ("teacher", "one-shot-50", "slim-50", "one-shot-10", "slim-10")
    assert [name for name in study.variants if study.weights(name)] == ["teacher", "slim-10"]
    assert [row["variant"] for row in study.results if row["shipped"]] == ["teacher", "slim-10"]
    assert load_history(study) == published.run.history
    files = {path.name for path in (study.folder / "slim-10").iterdir()}
    assert files == {"README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_selections_are_made_again_from_the_stored_factors(published: Published) -> None:
    study, factors = published.study, load_factors(published.study)
    for network in published.run.networks:
        percent = f"{100 * network.budget:g}"
        stored = study.selections[percent]
        settings = SelectionSettings(**stored["settings"])
        again = select(factors, Budget(**stored["budget"]), settings, stored["criterion"])
        masks = load_masks(study, percent)
        assert all(np.array_equal(again.masks[site], mask) for site, mask in masks.items())
        assert np.array_equal(again.pieces, load_pieces(study, percent))
        assert (again.rank, again.positions) == (stored["rank"], stored["positions"])
        assert network_to_json(again.shape) == stored["network"]
        assert again.total_density == stored["total_density"]
    assert study.data["smallest_total_density"] == smallest_total_density(factors, published.config.selection)


def test_parameters_are_those_of_the_saved_tensors(published: Published) -> None:
    """By `numel` of the file, and of every network in memory where no file is stored."""
    rows = {row["variant"]: row for row in published.study.results}
    with safe_open(published.study.folder / "slim-10" / "model.safetensors", framework="pt") as tensors:
        saved = [tensors.get_tensor(name) for name in tensors.keys()]  # noqa: SIM118
    counted = sum(tensor.numel() for tensor in saved if tensor.is_floating_point())
    assert counted == rows["slim-10"]["parameters"]["total"]
    assert {tensor.dtype for tensor in saved if tensor.is_floating_point()} == {torch.float16}
    numbers = [tensor for tensor in saved if not tensor.is_floating_point()]
    assert rows["slim-10"]["index_buffers"] == sum(tensor.numel() for tensor in numbers)
    teacher = sum(parameter.numel() for parameter in published.run.teacher.parameters())
    assert rows["teacher"]["parameters"]["total"] == teacher
    for network in published.run.networks:
        for kind, model in (("one-shot", network.one_shot), ("slim", network.recovered)):
            row = rows[f"{kind}-{100 * network.budget:g}"]
            assert row["parameters"]["total"] == measure.parameters_by_numel(model)
            assert row["total_density"] == row["parameters"]["total"] / teacher
            assert row["encoder_density"] == row["parameters"]["encoder"] / rows["teacher"]["parameters"]["encoder"]


def test_costs_are_those_of_the_widths(published: Published) -> None:
    dense = published.run.factors.shape.network()
    for network in published.run.networks:
        row = row_of(published.study, f"slim-{100 * network.budget:g}")
        length = row["flops"]["length"]
        assert row["flops"]["total"] == count_flops(network.selection.shape, length)
        assert row["flop_ratio"] == row["flops"]["total"] / count_flops(dense, length)
        assert measure.flops(network.recovered, 1, 16) == count_flops(network.selection.shape, 16)
    teacher = row_of(published.study, "teacher")
    assert teacher["parameters"]["total"] == count_parameters(dense).total
    assert (teacher["total_density"], teacher["encoder_density"], teacher["flop_ratio"]) == (1.0, 1.0, 1.0)


def test_sizes_are_of_the_files(published: Published) -> None:
    folder = published.study.folder / "slim-10"
    without_card = sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    assert row_of(published.study, "slim-10")["size_bytes"] == without_card
    assert row_of(published.study, "one-shot-10")["size_bytes"] is None
    # Two bytes a parameter, and a little more for names and the tokenizer.
    teacher = row_of(published.study, "teacher")
    assert teacher["size_bytes"] > 2 * teacher["parameters"]["total"]


def test_scores_are_those_of_the_reloaded_networks(published: Published) -> None:
    task, labels = published.data.task, published.validation.labels
    networks = stored_networks(published.study)
    assert list(networks) == ["teacher", "slim-10"]
    logits = {
        name: measure.predict_logits(model, tokenizer, published.validation, max_length=16)
        for name, (model, tokenizer) in networks.items()
    }
    for name, values in logits.items():
        row = row_of(published.study, name)
        assert row["metrics"] == metrics(task, values, labels)
        assert row["correct"] == correct(task, values, labels) == int((values.argmax(1) == labels).sum())
        assert row["count"] == 30
    interval = paired_bootstrap(task, logits["slim-10"], logits["teacher"], labels, seed=0)
    assert row_of(published.study, "slim-10")["interval"] == interval.to_json()
    again = score(task, networks, published.validation, "validation", 0, 16)
    for row in again:
        stored = row_of(published.study, row["variant"])
        assert row == {key: stored[key] for key in row}


def test_retention_stands_beside_retention_above_floor(published: Published) -> None:
    floors = floor(published.data.task, published.validation.labels)
    assert published.study.data["floor"] == floors
    teacher = row_of(published.study, "teacher")["metrics"]["accuracy"]
    for row in published.study.results:
        value = row["metrics"]["accuracy"]
        assert row["retention"] == retention(value, teacher)
        assert row["retention_above_floor"] == retention_above_floor(value, teacher, floors["accuracy"])
        assert ("interval" in row) == (row["variant"] != "teacher")
        if "interval" in row:
            assert row["interval"]["difference"] == pytest.approx(value - teacher)
            assert row["interval"]["low"] <= row["interval"]["difference"] <= row["interval"]["high"]


def test_speed_is_of_the_teacher_and_the_recovered(published: Published) -> None:
    speed = published.study.data["speed"]
    assert {row["variant"] for row in speed} == {"teacher", "slim-50", "slim-10"}
    assert {row["length"] for row in speed} == {16, "real"}
    assert {row["batch"] for row in speed} == {1, 32}


def test_provenance_says_where_every_number_comes_from(published: Published) -> None:
    provenance = published.study.data["provenance"]
    assert provenance["command"] == COMMAND
    assert provenance["commit"] is None or re.fullmatch(r"[0-9a-f]{12}\+?", provenance["commit"])
    assert datetime.datetime.fromisoformat(provenance["date"]).utcoffset() == datetime.timedelta(0)
    assert provenance["libraries"]["torch"] == torch.__version__
    assert provenance["data"]["train"] == {"rows": 56, "sha256": published.data.train.sha256}
    assert provenance["data"]["validation"] == {"rows": 30, "sha256": published.validation.sha256}
    assert provenance["data"]["transfer"] is None
    assert list(provenance["seconds"]) == ["teacher", "cache", "slim", "recover-50", "recover-10"]
    assert provenance["precision"] == "float32"
    assert StudyConfig.from_json(published.study.data["config"]) == published.run.config


def test_no_commit_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(publish_module, "__file__", str(tmp_path / "pruning" / "publish.py"))
    assert current_commit() is None


# ---- scoring and answering ---------------------------------------------------------------------------------------


@pytest.fixture
def given_logits(monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Networks that answer what is put here under their name."""
    answers: dict[str, np.ndarray] = {}
    monkeypatch.setattr(measure, "predict_logits", lambda network, *rest, **named: answers[network])
    monkeypatch.setattr(measure, "tokens_per_text", lambda *given: (7.5, 0.25))
    return answers


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(2, dtype=np.float32)[classes]


def test_a_row_by_hand(given_logits: dict[str, np.ndarray]) -> None:
    """Eight right of ten, six of ten, and a majority of five: 75% is kept, a third above the floor."""
    task = get_task("sst2")
    labels = np.array([1] * 5 + [0] * 5)
    given_logits |= {"t": one_hot([1] * 5 + [0] * 3 + [1] * 2), "s": one_hot([1] * 5 + [0] + [1] * 4)}
    examples = Examples(tuple("abcdefghij"), None, labels, "ten letters")
    teacher, slim = score(task, {"teacher": ("t", None), "slim-10": ("s", None)}, examples, "validation", 3, 16)
    assert teacher == {
        "variant": "teacher",
        "split": "validation",
        "seed": 3,
        "count": 10,
        "correct": 8,
        "metrics": {"accuracy": 0.8},
        "tokens_per_text": 7.5,
        "truncated_share": 0.25,
        "retention": 1.0,
        "retention_above_floor": 1.0,
    }
    assert (slim["correct"], slim["metrics"]) == (6, {"accuracy": 0.6})
    assert slim["retention"] == pytest.approx(0.75)
    assert slim["retention_above_floor"] == pytest.approx(1 / 3)
    assert slim["interval"]["difference"] == pytest.approx(-0.2)
    assert slim["interval"]["low"] < -0.2 < slim["interval"]["high"] <= 0
    assert slim["interval"]["metric"] == "accuracy"


def test_a_regressions_row(given_logits: dict[str, np.ndarray]) -> None:
    task, generator = get_task("stsb"), np.random.default_rng(0)
    labels = generator.uniform(0, 5, 40).astype(np.float32)
    given_logits["t"] = (labels + generator.normal(0, 0.5, 40))[:, None]
    given_logits["s"] = (labels + generator.normal(0, 1.5, 40))[:, None]
    examples = Examples(("a",) * 40, ("b",) * 40, labels, "pairs")
    teacher, slim = score(task, {"teacher": ("t", None), "slim-10": ("s", None)}, examples, "validation", 0, 16)
    assert teacher["correct"] is slim["correct"] is None
    assert list(slim["metrics"]) == ["pearson", "spearman"]
    expected = np.corrcoef(given_logits["s"][:, 0], labels)[0, 1]
    assert slim["metrics"]["pearson"] == pytest.approx(expected)
    assert slim["retention"] == slim["retention_above_floor"] == pytest.approx(expected / teacher["metrics"]["pearson"])


def test_without_the_teacher_there_is_nothing_to_retain(given_logits: dict[str, np.ndarray]) -> None:
    given_logits["s"] = one_hot([0, 1])
    examples = Examples(("a", "b"), None, np.array([0, 1]), "two letters")
    (row,) = score(get_task("sst2"), {"slim-10": ("s", None)}, examples, "validation", 0, 16)
    assert row["correct"] == 2
    assert not {"retention", "retention_above_floor", "interval"} & set(row)


def test_a_teacher_at_its_floor_retains_nothing_above_it(given_logits: dict[str, np.ndarray]) -> None:
    given_logits["t"] = given_logits["s"] = one_hot([1, 1, 1])
    examples = Examples(("a", "b", "c"), None, np.array([0, 1, 1]), "three letters")
    networks = {"teacher": ("t", None), "slim-10": ("s", None)}
    for row in score(get_task("sst2"), networks, examples, "validation", 0, 16):
        assert row["retention"] == 1.0
        assert row["retention_above_floor"] is None


def test_progress_names_network_and_examples(published: Published) -> None:
    told: list[tuple[str, int, int]] = []
    networks = {"teacher": (published.run.teacher, published.run.tokenizer)}
    task = published.data.task
    score(task, networks, published.validation, "validation", 0, 16, progress=lambda *seen: told.append(seen))
    assert told[-1] == ("teacher", 30, 30)


def test_answers_are_label_words_with_probabilities(given_logits: dict[str, np.ndarray]) -> None:
    given_logits["s"] = np.array([[0.0, math.log(3)], [1000.0, 0.0]], dtype=np.float32)
    examples = Examples(("fine", "poor"), ("x", "y"), np.array([-1, -1]), "typed", is_labelled=False)
    first, second = answer(get_task("mrpc"), {"slim-10": ("s", None)}, examples, 16)
    assert (first["text"], first["pair"]) == ("fine", "x")
    found = first["variants"]["slim-10"]
    assert found["label"] == "equivalent"
    assert found["probability"] == pytest.approx(0.75)
    assert found["probabilities"] == pytest.approx({"not_equivalent": 0.25, "equivalent": 0.75})
    assert second["variants"]["slim-10"]["probability"] == pytest.approx(1.0)


def test_answers_of_a_regression_are_scores(given_logits: dict[str, np.ndarray]) -> None:
    given_logits["s"] = np.array([[3.25]], dtype=np.float32)
    examples = Examples(("a",), ("b",), np.array([-1]), "typed", is_labelled=False)
    (row,) = answer(get_task("stsb"), {"slim-10": ("s", None)}, examples, 16)
    assert row == {"text": "a", "pair": "b", "variants": {"slim-10": {"score": 3.25}}}


def test_networks_that_are_not_stored_are_named(published: Published) -> None:
    assert list(stored_networks(published.study, ["slim-10"])) == ["slim-10"]
    with pytest.raises(MeasureError, match=r"no weights of 'slim-50' are stored, expected one of teacher, slim-10$"):
        stored_networks(published.study, ["teacher", "slim-50"])


# ---- what stands in the way --------------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_its_identity_is_known_before_training(published: Published) -> None:
    folder = published.study.folder
    check_destination(folder, identity(published.config, published.data), overwrite=True)
    with pytest.raises(StoreError, match="this study is stored there already"):
        check_destination(folder, identity(published.config, published.data))
    other = dataclasses.replace(published.config, seed=1)
    with pytest.raises(StoreError, match=r"holds another study \(.*seed.*such as 'own-2'"):
        check_destination(folder, identity(other, published.data), overwrite=True)
    fewer = dataclasses.replace(published.data, train=made_up(40, 0))
    with pytest.raises(StoreError, match="holds another study"):
        check_destination(folder, identity(published.config, fewer), overwrite=True)


def test_the_same_study_is_replaced_only_when_asked(published: Published) -> None:
    folder, before = published.study.folder, content(published.study.folder)
    with pytest.raises(StoreError, match="this study is stored there already"):
        publish(published.run, folder, command=COMMAND)
    assert content(folder) == before
    again = publish(published.run, folder, command=f"{COMMAND} --overwrite", overwrite=True)
    assert verify(folder) == []
    assert again.data["provenance"]["command"].endswith("--overwrite")
    changed = {name for name, checksum in content(folder).items() if before[name] != checksum}
    assert changed <= {"study.json", "slim-10/README.md"}  # dates; every array is the same


def test_a_full_disk_leaves_the_earlier_study(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, before = published.study.folder, content(published.study.folder)
    write, done = store._write, []

    def write_some(path: Path, data: bytes) -> dict[str, Any]:
        done.append(path)
        if len(done) > 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(store, "_write", write_some)
    with pytest.raises(StoreError, match=r"^.*own: the study cannot be stored: No space left on device$"):
        publish(published.run, folder, command=COMMAND, overwrite=True)
    assert content(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["own"]
