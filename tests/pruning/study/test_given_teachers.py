"""Teachers that a study only names, or keeps whole: found by checksum, said in one line where they are not here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning import load_study
from pruning.bert import backbones
from pruning.bert.classifier import find_classifier
from pruning.errors import BackboneError, MissingError, StoreError
from pruning.measure.fidelity import Fidelity
from pruning.study import Study
from pruning.study.networks import load_network, names_teacher, stored_variants
from pruning.study.verify import verify
from tests.factories.damage import json_edit, seal
from tests.factories.own_data import made_up, write_csv
from tests.factories.quick_run import frozen_garbage, quick_measurements
from tests.factories.tiny_backbone import write_classifier
from tests.pruning.cli.commands import Result, call, refused

TEXTS = ["a good film", "bad soup and not warm"]
QUICK = ("--budgets", "0.3", "--device", "cpu", "--quiet", "--set", "ablation_rows=20", "--set", "precision=float32")


@dataclass(frozen=True)
class Place:
    """A classifier, files, and a study made of both."""

    folder: Path
    result: Result

    @property
    def study(self) -> Path:
        return self.folder / "studies" / "own"


def make(folder: Path, *more: str) -> Place:
    write_classifier(folder / "model")
    write_csv(folder / "own.csv", 120, 0)
    where = ("--output", folder / "studies", "--runs", folder / "runs")
    typed = ("--teacher", folder / "model", "--train-file", folder / "own.csv", *where, *QUICK, "--preset", "one-shot")
    with quick_measurements(), frozen_garbage():
        return Place(folder, call("run", *typed, *more))


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Without labels; the teacher is only named."""
    return make(tmp_path_factory.mktemp("named"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With labels; the teacher is kept."""
    return make(tmp_path_factory.mktemp("kept"), "--label", "label", "--keep-teacher")


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing beside the studies, in the working folder or in the variable."""
    monkeypatch.delenv("SLIMVIZ_BACKBONES", raising=False)
    monkeypatch.chdir(tmp_path)


def test_a_named_teacher_is_not_copied(named: Place) -> None:
    assert named.result.code == 0, named.result
    assert "no --label: the teacher's own answers are followed, and agreement with them is reported" in named.result.err
    study = load_study(named.study)
    document = study.document
    assert verify(named.study) == []
    assert not (named.study / "teacher").exists()
    assert document.backbone.sha256 == backbones.find_backbone(str(named.folder / "model")).sha256
    assert (document.backbone.name, document.config.backbone) == ("model", "model")  # no path of this machine
    assert document.task.metrics == ("agreement",)
    rows = {row.variant.name: row for row in study.results}
    assert rows["teacher"].shipped is False
    assert (rows["teacher"].metrics, rows["teacher"].fidelity) == ({"agreement": 1.0}, None)
    assert study.final("30").name == "post-training-30"  # what pages show, and ask
    assert study.final("10").name == "slim-10"
    found = rows["post-training-30"].fidelity
    assert isinstance(found, Fidelity)
    assert found.agreement == rows["post-training-30"].metrics["agreement"]


@pytest.mark.usefixtures("away")
def test_a_named_teacher_is_found_by_name_and_checksum(named: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(named.study)
    assert names_teacher(study)
    assert [str(variant) for variant in stored_variants(study)] == ["teacher", "post-training-30"]
    with pytest.raises(MissingError, match=r"^backbone 'model': not on this machine, expected sha256 "):
        load_network(study, "teacher")
    asked = load_network(study, "teacher", teacher=named.folder / "model")
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(named.folder))
    for network in (asked, load_network(study, "teacher")):
        plain = backbones.load_backbone(
            find_classifier(str(named.folder / "model")).backbone, study.task, with_head=True
        )
        assert states_equal(network.model, plain)
    assert study.logits("teacher", TEXTS).shape == (2, 2)


def states_equal(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    states = first.state_dict(), second.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(states[0][name], states[1][name]) for name in states[0]
    )


@pytest.mark.usefixtures("away")
def test_another_teacher_of_that_name_is_refused(named: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = load_study(named.study)
    write_classifier(tmp_path / "others" / "model", seed=9)
    with pytest.raises(BackboneError, match=r"^backbone 'model': found with sha256 .*, expected sha256 "):
        load_network(study, "teacher", teacher=tmp_path / "others" / "model")
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(tmp_path / "others"))
    with pytest.raises(BackboneError, match=r"found with sha256 "):
        load_network(study, "teacher")


@pytest.mark.usefixtures("away")
def test_measure_and_predict_without_and_with_the_teacher(named: Place, tmp_path: Path) -> None:
    printed = call("predict", named.study, TEXTS[0], "--device", "cpu", "--json")
    assert printed.code == 0
    assert list(printed.json["answers"][0]["variants"]) == ["post-training-30"]
    (line,) = printed.err.splitlines()
    assert line.startswith("without the teacher: backbone 'model': not on this machine")
    assert line.endswith("; --teacher says where it is now")
    moved = Path(shutil.copytree(named.folder / "model", tmp_path / "moved"))
    printed = call("predict", named.study, TEXTS[0], "--device", "cpu", "--json", "--teacher", moved)
    assert list(printed.json["answers"][0]["variants"]) == ["teacher", "post-training-30"]
    write_csv(tmp_path / "more.csv", 20, 4)
    file = ("--validation-file", tmp_path / "more.csv", "--device", "cpu")
    assert "has no labels, expected its teacher among the networks" in call("measure", named.study, *file).err
    printed = call("measure", named.study, *file, "--teacher", moved, "--json")
    rows = {row["variant"]: row for row in printed.json["results"]}
    assert rows["teacher"]["metrics"] == {"agreement": 1.0}
    assert rows["post-training-30"]["count"] == 20
    assert refused("predict", named.study, TEXTS[0], "--teacher", tmp_path / "nowhere").startswith(
        "backbone 'model': not in "
    )
    assert refused("measure", named.study) == "measure: own is of a task of its own, expected --validation-file FILE"
    assert "exclude each other" in refused("measure", "--all", "--teacher", moved)


@pytest.mark.usefixtures("away")
def test_a_kept_teacher_needs_nothing_else(kept: Place) -> None:
    assert kept.result.code == 0, kept.result
    assert verify(kept.study) == []
    study = load_study(kept.study)
    assert not names_teacher(study)
    assert study.task.metrics == ("accuracy", "f1")
    rows = {row.variant.name: row for row in study.results}
    assert rows["teacher"].shipped is True
    model = find_classifier(str(kept.folder / "model")).backbone
    plain = backbones.load_backbone(model, study.task, with_head=True)
    found = study.network("teacher")
    rounded = {name: tensor.half().float() for name, tensor in plain.state_dict().items()}
    assert all(torch.equal(tensor, rounded[name]) for name, tensor in found.state_dict().items())
    assert found.config.hidden_act == plain.config.hidden_act
    examples = made_up(30, 6)
    full, cut = backbones.load_tokenizer(model), study.tokenizer("teacher")
    assert full(list(examples.texts))["input_ids"] == cut(list(examples.texts))["input_ids"]
    assert np.isfinite(study.logits("teacher", TEXTS)).all()
    assert "holds its teacher itself" in refused("predict", kept.study, TEXTS[0], "--teacher", kept.folder / "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 32}, "names other widths than study.json"),
        ({"auto_map": {"AutoModel": "code.Model"}}, r"names code to run \(auto_map\)"),
        ({"model_type": "roberta"}, "model_type|roberta"),
        ({"hidden_act": "no-such"}, "cannot be loaded"),
    ],
)
def test_a_kept_teacher_that_was_changed_is_refused(
    kept: Place, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    folder = Path(shutil.copytree(kept.study, tmp_path / "own"))
    json_edit("teacher/config.json", **changes)(folder)
    seal(folder)
    with pytest.raises(StoreError, match=message):
        load_network(Study(folder, load_study(folder).document), "teacher")
