"""Somebody else's fine-tuned classifier: found, its labels read; what cannot be a teacher is one line."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning.bert.backbones import load_backbone
from pruning.bert.classifier import find_classifier
from pruning.data.tasks import custom_task
from pruning.errors import BackboneError
from tests.factories.tiny_backbone import write_backbone, write_classifier


@pytest.mark.parametrize(
    ("labels", "is_nameless"),
    [(("no", "yes"), False), (("LABEL_0", "LABEL_1", "LABEL_2"), True), (("LABEL_1", "LABEL_0"), False), (None, False)],
)
def test_labels_are_the_models_own(tmp_path: Path, labels: tuple[str, ...] | None, is_nameless: bool) -> None:
    found = find_classifier(str(write_classifier(tmp_path / "model", labels)))
    assert (found.labels, found.is_nameless, found.is_folder) == (labels, is_nameless, True)
    assert (found.backbone.name, found.backbone.source) == ("model", "folder model")


def loaded(folder: Path) -> Any:
    task = custom_task("own", ("text",), ("no", "yes"))
    return load_backbone(find_classifier(str(folder)).backbone, task, with_head=True)


def test_a_pickle_is_read_as_plain_tensors(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    found = find_classifier(str(folder))
    assert found.backbone.is_pickled
    state = loaded(folder).state_dict()
    assert all(torch.equal(state[name], weights[name]) for name in weights)


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("was-run"),))


def test_nothing_in_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_classifier(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"classifier.weight": Hostile()}, protocol=2))
    with pytest.raises(BackboneError, match="weights cannot be loaded"):
        loaded(folder)
    assert not (tmp_path / "was-run").exists()


def test_a_pooler_without_a_bias_has_one_of_zeros(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    del weights["bert.pooler.dense.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert not loaded(folder).bert.pooler.dense.bias.any()


def config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in values.items() if value is not ...}))

    return change


def weights(change: Callable[[dict[str, torch.Tensor]], Any]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    return changed


BAD = [
    (shutil.rmtree, r"no such folder, and the hub's cache does not hold it"),
    (config(model_type="roberta"), r"of type 'roberta', expected a BERT encoder"),
    (
        config(architectures=["BertModel"]),
        r"an encoder without a classifier \('BertModel'\), expected a classifier of te",
    ),
    (config(architectures=["BertForTokenClassification"]), r"a network that labels tokens \('BertForTokenClassificat"),
    (
        config(problem_type="multi_label_classification"),
        r"gives a text several labels .*, expected one label or one score$",
    ),
    (config(problem_type="regression"), r"a regression with 2 outputs, expected one score$"),
    (config(id2label={"0": "no", "2": "yes"}), r"expected the numbers from 0 on$"),
    (config(id2label={"0": "no", "1": "no"}), r"expected different words$"),
    (config(id2label={"0": "a", "1": "b", "2": "c"}), r"a head of 2 outputs, expected 3 as its config.json says$"),
    (config(auto_map={"AutoModel": "code.Model"}), r"names code to run \(auto_map\), expected a plain BERT$"),
    (weights(lambda state: state.pop("classifier.weight")), r"hold no classifier.weight, expected a fine-tuned class"),
    (lambda folder: (folder / "model.safetensors").unlink(), r"no model.safetensors, expected weights as safetensors$"),
    (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 50), r"model.safetensors cannot be read"),
]


@pytest.mark.parametrize(("damage", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_cannot_be_a_teacher_is_one_line(tmp_path: Path, damage: Callable[[Path], Any], message: str) -> None:
    folder = write_classifier(tmp_path / "model")
    damage(folder)
    with pytest.raises(BackboneError, match=message):
        find_classifier(str(folder))


def test_a_backbone_without_a_head_is_no_teacher(tmp_path: Path) -> None:
    write_backbone(tmp_path / "backbone")
    with pytest.raises(BackboneError, match=r"an encoder without a classifier \('BertModel'\), expected a"):
        find_classifier(str(tmp_path / "backbone"))


def test_an_architecture_that_is_not_named_is_told_by_its_weights(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    config(architectures=...)(folder)
    assert find_classifier(str(folder)).labels == ("no", "yes")


def test_a_body_that_misses_a_weight_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model")
    weights(lambda state: state.pop("bert.encoder.layer.0.output.dense.weight"))(folder)
    with pytest.raises(BackboneError, match=r"output.dense.weight is missing or of another shape"):
        loaded(folder)
