"""``export``: a stored network as a folder for others; what cannot be exported is one line, and nothing is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest
import torch
from safetensors.torch import load_file

from pruning.study import read_study
from pruning.study.card import export_card
from tests.factories.damage import flip_a_bit, json_edit, seal
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, write_tiny_study
from tests.pruning.cli.commands import call, refused

SLIM = f"slim-{BUDGET}"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_tiny_study(tmp_path / "studies", "rte")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "exported"


def test_a_slim_network(study: Path, to: Path) -> None:
    printed = call("export", study, "--variant", SLIM, "--to", to)
    files = "README.md, config.json, model.safetensors, modeling_slimbert.py, tokenizer.json, tokenizer_config.json"
    assert (printed.code, printed.out) == (0, f"rte/{SLIM} written to {to}: {files}\n")
    assert "README.md says how to load it" in printed.err
    stored, exported = (load_file(folder / "model.safetensors") for folder in (study / SLIM, to))
    assert stored.keys() == exported.keys()
    assert all(torch.equal(stored[name], tensor) and stored[name].dtype == tensor.dtype
               for name, tensor in exported.items())  # fmt: skip
    assert json.loads((to / "tokenizer_config.json").read_text())["model_max_length"] == MAX_LENGTH
    network = json.loads((to / "config.json").read_text())
    own = json.loads((study / SLIM / "config.json").read_text())
    assert {name: network[name] for name in own} == own
    assert (network.keys() - own.keys()) == {"auto_map", "torch_dtype", "tokenizer_class"}


def test_the_teacher_with_an_answer_in_json(study: Path, to: Path) -> None:
    printed = call("export", study, "--variant", "teacher", "--to", to, "--json")
    assert printed.code == 0
    assert printed.json["files"] == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"
    ]  # fmt: skip
    assert {name: printed.json[name] for name in ("study", "variant", "format", "folder")} == {
        "study": "rte", "variant": "teacher", "format": "transformers", "folder": str(to)
    }  # fmt: skip
    stored, exported = (load_file(folder / "model.safetensors") for folder in (study / "teacher", to))
    assert all(torch.equal(stored[name], tensor) for name, tensor in exported.items())
    assert json.loads((to / "tokenizer_config.json").read_text())["model_max_length"] == MAX_LENGTH


def test_the_card_is_the_studys(study: Path, to: Path) -> None:
    call("export", study, "--variant", SLIM, "--to", to)
    card, document = (to / "README.md").read_text(), read_study(study).document
    loading = card.partition("```python\n")[2].partition("\n\nIt answers")[0]
    assert card == export_card(document, read_study(study).variant(SLIM), f"```python\n{loading}")
    assert 'AutoModelForSequenceClassification.from_pretrained("exported", trust_remote_code=True)' in loading
    assert 'tokenizer("first text", "second text", ' in loading
    assert "study.json" not in card
    assert "pruning.slimbert" not in card


def test_what_is_not_there(study: Path, to: Path) -> None:
    for typed, said in (
        (("nothing", "--variant", SLIM), "study 'nothing': no such folder and no study of that name, expected one of"),
        ((study, "--variant", "slim-7"), "study rte: no variant 'slim-7', expected one of teacher, "),
        (
            (study, "--variant", f"one-shot-{BUDGET}"),
            f"study rte: no weights of 'one-shot-{BUDGET}' are stored, expected one of teacher, {SLIM}",
        ),
    ):
        assert refused("export", *typed, "--to", to).startswith(said)
        assert not to.exists()
    assert "expected" not in call("export", study, "--variant", SLIM, "--to", to).err
    for typed in ((study, "--to", to), (study, "--variant", SLIM), (study, "--variant", SLIM, "--format", "x")):
        assert call("export", *typed).code == 2


def test_a_folder_in_use_is_left_alone(study: Path, to: Path, tmp_path: Path) -> None:
    to.mkdir()
    (to / "mine").write_text("kept")
    line = refused("export", study, "--variant", SLIM, "--to", to)
    assert line.endswith("holds something, expected a new or an empty folder")
    assert [path.name for path in to.iterdir()] == ["mine"]
    assert "is a file" in refused("export", study, "--variant", SLIM, "--to", to / "mine")
    assert refused("export", study, "--variant", SLIM, "--to", to / "mine" / "below")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exported", "studies"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (flip_a_bit(f"{SLIM}/model.safetensors"), "is not the file that was stored"),
        (json_edit(f"{SLIM}/config.json", auto_map={"AutoConfig": "evil.Config"}), "names code to run (auto_map)"),
    ],
)
def test_what_cannot_be_trusted_is_not_handed_on(study: Path, to: Path, damage: Any, reason: str) -> None:
    damage(study)
    if "auto_map" in reason:
        seal(study)
    assert reason in refused("export", study, "--variant", SLIM, "--to", to)
    assert not to.exists()


# ---- for ONNX Runtime --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [SLIM, "teacher"])
def test_a_folder_for_onnxruntime(study: Path, to: Path, variant: str) -> None:
    printed = call("export", study, "--variant", variant, "--to", to, "--format", "onnx")
    files = "README.md, model.onnx, network.json, predict.py, tokenizer.json"
    first, second = printed.out.splitlines()
    assert (printed.code, first) == (0, f"rte/{variant} written to {to}: {files}")
    assert second.startswith("tried on ")
    assert "(probe set rte): the same answer to 100.00% of them, logits at most " in second
    said = json.loads((to / "network.json").read_text())
    assert (said["is_pair"], said["max_length"], said["precision"]) == (True, MAX_LENGTH, "float32")
    card = (to / "README.md").read_text()
    assert 'Reader("exported").answer(["first text"], ["second text"])' in card
    assert second in card


def test_int8_on_examples_of_ones_own(study: Path, to: Path, tmp_path: Path) -> None:
    rows = {"sentence1": ["one film", "a soup"], "sentence2": ["is good", "is bad"], "label": [0, 1]}
    (tmp_path / "data" / "rte").mkdir(parents=True)
    pandas.DataFrame(rows).to_parquet(tmp_path / "data" / "rte" / "validation.parquet")
    typed = ("export", study, "--variant", SLIM, "--to", to, "--format", "onnx", "--int8")
    printed = call(*typed, "--data", tmp_path / "data", "--json")
    assert printed.code == 0, printed.err
    assert (printed.json["precision"], printed.json["parity"]["texts"]) == ("int8", 2)
    assert printed.json["parity"] == json.loads((to / "network.json").read_text())["parity"]
    assert printed.json["parity"]["metrics"].keys() == {"accuracy"}


def test_a_task_of_ones_own_is_tried_on_texts_of_another(tmp_path: Path, to: Path) -> None:
    study = write_tiny_study(tmp_path / "studies", "sst2")
    json_edit("study.json", task={**json.loads((study / "study.json").read_text())["task"], "name": "own"})(study)
    printed = call("export", study, "--variant", SLIM, "--to", to, "--format", "onnx", "--json")
    assert printed.code == 0, printed.err
    assert printed.json["parity"]["origin"] == "texts of probe set sst2"
    assert printed.json["parity"]["metrics"] is None


def test_onnx_lines(study: Path, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ("export", study, "--variant", SLIM, "--to", to)
    assert refused(*typed, "--int8") == "format transformers: writes no int8, expected --format onnx"
    assert refused(*typed, "--data", "probe") == "export: format transformers tries nothing, expected no --data"
    assert "expected one of" in refused(
        "export", study, "--variant", f"one-shot-{BUDGET}", "--to", to, "--format", "onnx"
    )
    assert refused(*typed, "--format", "onnx", "--data", to / "nowhere")
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    line = refused(*typed, "--format", "onnx")
    assert line == "format onnx: onnx is missing, expected pip install -r requirements-onnx.txt"
    assert call(*typed[:-1], to / "other").code == 0  # other formats do without
    assert not (to / "model.onnx").exists()
