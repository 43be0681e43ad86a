"""The loader of networks: nothing in a study runs, is fetched, or answers once changed; damage is one line."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pruning.errors import BackboneError, SlimVizError, StoreError
from pruning.study import read_study
from pruning.study.networks import load_network, stored_variants
from tests.factories.study_document import edit, file_entry
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, write_tiny_study

SLIM = f"slim-{BUDGET}"
Spoil = Callable[[Path], Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_study(tmp_path)


def seal(folder: Path) -> None:
    """Make the stored checksums fit the files: the damage was there when the study was made, or whoever did it knew."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "study.json")
    entries = {path.relative_to(folder).as_posix(): file_entry(path) for path in files}
    edit(folder, lambda document: document.update(files=entries))


def test_networks_answer(folder: Path) -> None:
    study = read_study(folder)
    assert [str(variant) for variant in stored_variants(study)] == ["teacher", SLIM]
    for name in ("teacher", SLIM):
        network = load_network(study, name)
        assert (network.max_length, network.device, network.model.training) == (MAX_LENGTH, "cpu", False)
        assert study.logits(name, ["a good film", "bad soup"]).shape == (2, 2)
    with pytest.raises(StoreError, match="no weights of 'one-shot-50' are stored, expected one of teacher, slim-50"):
        load_network(study, "one-shot-50")


def test_a_slim_network_is_what_transformers_would_load(folder: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network = load_network(read_study(folder), SLIM)
    model, tokenizer = (
        kind.from_pretrained(folder / SLIM) for kind in (AutoModelForSequenceClassification, AutoTokenizer)
    )
    expected, found = model.state_dict(), network.model.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in found)
    texts = (["a good film", "zebra, ünlike"], ["", "cold soup"])
    assert network.tokenizer(*texts)["input_ids"] == tokenizer(*texts)["input_ids"]


# Fault 8: changed weights must not answer


@pytest.mark.parametrize("name", ["teacher", SLIM])
def test_changed_weights_do_not_answer(folder: Path, name: str) -> None:
    study = read_study(folder)
    load_network(study, name)  # its files have been compared once
    weights = folder / name / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(StoreError, match=f"{name}/model.safetensors is not the file that was stored"):
        load_network(study, name)


def test_files_are_read_for_their_checksum_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pruning import checksums

    study, read = read_study(folder), []
    digest = checksums.hashlib.file_digest
    monkeypatch.setattr(checksums.hashlib, "file_digest", lambda *given: read.append(given) or digest(*given))
    load_network(study, SLIM)
    count = len(read)
    load_network(study, SLIM)
    assert len(read) == count == 5
    os.utime(folder / SLIM / "config.json")
    load_network(study, SLIM)
    assert len(read) == count + 1


# Fault 1: nothing loaded may run code


def json_edit(path: str, **changes: Any) -> Spoil:
    def spoil(folder: Path) -> None:
        content = json.loads((folder / path).read_text())
        (folder / path).write_text(json.dumps(content | changes))

    return spoil


CODE = {
    "AutoConfig": "evil.Config",
    "AutoModelForSequenceClassification": "evil.Model",
    "AutoTokenizer": ["evil.T", None],
}


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_a_study_is_refused(folder: Path, capfd: pytest.CaptureFixture[str], file: str) -> None:
    json_edit(f"{SLIM}/{file}", auto_map=CODE)(folder)
    (folder / SLIM / "evil.txt").write_text("raise SystemExit('ran')")
    seal(folder)
    with pytest.raises(StoreError, match=r"sst2/slim-50: .*code to run \(auto_map\)"):
        load_network(read_study(folder), SLIM)
    assert "run the custom code" not in "".join(capfd.readouterr())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("ran",)


def test_pickles_are_not_read(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (folder / SLIM / "model.safetensors").unlink()
    (folder / SLIM / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(StoreError):
        load_network(read_study(folder), SLIM)
    assert not (tmp_path / "ran").exists()


# Fault 2: a study never causes a download


def test_no_study_causes_a_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def answer(name: str, **options: Any) -> str:
        asked.append(options)
        raise OSError("not in the cache")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    edit(folder, lambda document: document["backbone"].update(name="someone/evil-bert", source="hub someone/evil-bert"))
    edit(folder, lambda document: document["config"].update(backbone="someone/evil-bert"))
    with pytest.raises(BackboneError, match=r"'someone/evil-bert': not on this machine, expected sha256 .*BACKBONES"):
        load_network(read_study(folder), "teacher")
    assert asked
    assert all(options["local_files_only"] for options in asked)


def test_a_backbones_folder_is_found_again_where_it_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 14: a folder is remembered by its name and checksum."""
    (tmp_path / "models").mkdir()
    moved = (tmp_path / ".backbone").rename(tmp_path / "models" / ".backbone")
    with pytest.raises(BackboneError, match=r"not on this machine, expected sha256 .* SLIMVIZ_BACKBONES names"):
        load_network(read_study(folder), "teacher")
    for place in (moved, moved.parent):
        monkeypatch.setenv("SLIMVIZ_BACKBONES", str(place))
        load_network(read_study(folder), "teacher")
    edit(folder, lambda document: document["backbone"].update(sha256="f" * 64))
    with pytest.raises(BackboneError, match=r"found with sha256 [0-9a-f]{12}, expected sha256 ffffffffffff"):
        load_network(read_study(folder), "teacher")


# Fault 7: damage is one line


def put(path: str, content: bytes) -> Spoil:
    return lambda folder: (folder / path).write_bytes(content)


def tensors_edit(path: str, change: Callable[[dict[str, np.ndarray]], Any]) -> Spoil:
    def spoil(folder: Path) -> None:
        arrays = load_file(folder / path)
        change(arrays)
        save_file(arrays, folder / path)

    return spoil


def make_adapter(**changes: Any) -> Spoil:
    """Replace the teacher's full weights by an adapter with other settings than it should have."""

    def spoil(folder: Path) -> None:
        (folder / "teacher" / "model.safetensors").unlink()
        settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 2}
        (folder / "teacher" / "adapter_config.json").write_text(json.dumps(settings | changes))
        prefix = "base_model.model."
        query = f"{prefix}bert.encoder.layer.0.attention.self.query"
        arrays = {
            f"{query}.lora_A.weight": np.ones((2, 16), np.float16),
            f"{query}.lora_B.weight": np.ones((16, 2), np.float16),
        }
        arrays |= {
            f"{prefix}classifier.weight": np.ones((2, 16), np.float16),
            f"{prefix}classifier.bias": np.ones(2, np.float16),
        }
        save_file(arrays, folder / "teacher" / "adapter_model.safetensors")

    return spoil


def adapter_edit(change: Callable[[dict[str, np.ndarray]], Any]) -> Spoil:
    def spoil(folder: Path) -> None:
        make_adapter()(folder)
        tensors_edit("teacher/adapter_model.safetensors", change)(folder)

    return spoil


QUERY = "base_model.model.bert.encoder.layer.0.attention.self.query"
HUGE = 10**7
TOKENIZER = f"{SLIM}/tokenizer.json"
DAMAGE: dict[str, tuple[str, Spoil]] = {
    "config empty": (SLIM, put(f"{SLIM}/config.json", b"{}")),
    "config a list": (SLIM, put(f"{SLIM}/config.json", b"[]")),
    "config no JSON": (SLIM, put(f"{SLIM}/config.json", b"{")),
    "config of another network": (SLIM, json_edit(f"{SLIM}/config.json", model_type="bert")),
    "huge width": (SLIM, json_edit(f"{SLIM}/config.json", hidden_size=HUGE)),
    "huge vocabulary": (SLIM, json_edit(f"{SLIM}/config.json", vocab_size=HUGE)),
    "no layers": (SLIM, json_edit(f"{SLIM}/config.json", layers=None)),
    "heads": (SLIM, json_edit(f"{SLIM}/config.json", kept_heads=[[0, 1, 2, 3, 4], []])),
    "activation": (SLIM, json_edit(f"{SLIM}/config.json", hidden_act="boom")),
    "labels": (SLIM, json_edit(f"{SLIM}/config.json", id2label={"a": "b", "c": "d"})),
    "tokenizer empty": (SLIM, put(TOKENIZER, b"{}")),
    "tokenizer a list": (SLIM, put(TOKENIZER, b"[]")),
    "tokenizer no text": (SLIM, put(TOKENIZER, b"\xff\xfe")),
    "tokenizer without a model": (SLIM, json_edit(TOKENIZER, model=None)),
    "more pieces than rows": (
        SLIM,
        json_edit(TOKENIZER, model={"type": "WordLevel", "vocab": {"[UNK]": 500}, "unk_token": "[UNK]"}),
    ),
    "tokenizer config empty": (SLIM, put(f"{SLIM}/tokenizer_config.json", b"{}")),
    "tokenizer config a list": (SLIM, put(f"{SLIM}/tokenizer_config.json", b"[]")),
    "special tokens": (SLIM, json_edit(f"{SLIM}/tokenizer_config.json", **{"cls_token": "[NEW]"})),
    "special token of a type": (SLIM, json_edit(f"{SLIM}/tokenizer_config.json", **{"cls_token": 7})),
    "no tensors": (SLIM, put(f"{SLIM}/model.safetensors", b"x" * 40)),
    "a tensor gone": (SLIM, tensors_edit(f"{SLIM}/model.safetensors", lambda a: a.pop("classifier.bias"))),
    "a tensor more": (SLIM, tensors_edit(f"{SLIM}/model.safetensors", lambda a: a.update(x=np.ones(1)))),
    "a tensor of another shape": (
        SLIM,
        tensors_edit(f"{SLIM}/model.safetensors", lambda a: a.update({"classifier.bias": np.ones(3, np.float16)})),
    ),
    "teacher no tensors": ("teacher", put("teacher/model.safetensors", b"{}")),
    "teacher's tensor gone": ("teacher", tensors_edit("teacher/model.safetensors", lambda a: a.pop("classifier.bias"))),
    "adapter of another kind": ("teacher", make_adapter(peft_type="IA3")),
    "adapter of another rank": ("teacher", make_adapter(r=HUGE)),
    "adapter without a rank": ("teacher", make_adapter(r=None)),
    "adapter with a variant": ("teacher", make_adapter(use_dora=True)),
    "adapter with patterns": ("teacher", make_adapter(rank_pattern={"query": 4})),
    "adapter a list": (
        "teacher",
        lambda folder: (make_adapter()(folder), put("teacher/adapter_config.json", b"[]")(folder)),
    ),
    "adapter half": ("teacher", adapter_edit(lambda a: a.pop(f"{QUERY}.lora_B.weight"))),
    "adapter other half": ("teacher", adapter_edit(lambda a: a.pop(f"{QUERY}.lora_A.weight"))),
    "adapter without head": ("teacher", adapter_edit(lambda a: a.pop("base_model.model.classifier.bias"))),
    "adapter wide": ("teacher", adapter_edit(lambda a: a.update({f"{QUERY}.lora_B.weight": np.ones((9, 2))}))),
    "adapter of another layer": (
        "teacher",
        adapter_edit(lambda a: a.update({f"{QUERY[:-5]}other.lora_A.weight": np.ones((2, 16))})),
    ),
    "adapter unknown": ("teacher", adapter_edit(lambda a: a.update(other=np.ones(2)))),
}


@pytest.mark.parametrize(("variant", "spoil"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_one_line(folder: Path, variant: str, spoil: Spoil) -> None:
    spoil(folder)
    seal(folder)
    with pytest.raises(StoreError) as caught:
        load_network(read_study(folder), variant)
    message = str(caught.value)
    assert message.startswith(f"sst2/{variant}: ")
    assert message.isprintable()
    assert len(message) < 400


def test_an_adapter_that_names_code_or_another_base_does_neither(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """peft would import `megatron_core` and look for the base; only the matrices count here."""
    make_adapter(megatron_config={}, megatron_core="antigravity", base_model_name_or_path="someone/evil-bert")(folder)
    seal(folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    load_network(read_study(folder), "teacher")


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("config.json", {"auto_map": CODE}),
        ("config.json", {"num_hidden_layers": 10**6}),
        ("config.json", {"hidden_size": "wide"}),
        ("config.json", {"vocab_size": HUGE}),
        ("tokenizer_config.json", {"auto_map": CODE}),
        ("tokenizer.json", {"model": None}),
        ("adapter_config.json", {"base_model_name_or_path": "someone/evil-bert"}),
    ],
)
def test_a_backbone_that_does_not_fit_is_one_line(
    folder: Path, tmp_path: Path, path: str, changes: dict[str, Any]
) -> None:
    place = tmp_path / ".backbone" / path
    place.write_text(json.dumps((json.loads(place.read_text()) if place.exists() else {}) | changes))
    with pytest.raises(SlimVizError) as caught:
        load_network(read_study(folder), "teacher")
    assert str(caught.value).isprintable()
