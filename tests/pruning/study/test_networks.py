"""The loader of networks: nothing in a study runs, is fetched, or answers once changed; damage is one line."""

from __future__ import annotations

import json
import os
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import save_file

from pruning.errors import BackboneError, SlimVizError, StoreError
from pruning.study import read_study
from pruning.study.networks import load_network, stored_variants
from tests.factories.damage import DELETE, Damage, array_edit, flip_a_bit, json_edit, put, seal
from tests.factories.study_document import edit
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, write_tiny_study

SLIM = f"slim-{BUDGET}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_study(tmp_path)


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


@pytest.mark.parametrize("name", ["teacher", SLIM])
def test_changed_weights_do_not_answer(folder: Path, name: str) -> None:
    """Fault 8: checksums are compared when a network is loaded, and again when a file has changed since."""
    study = read_study(folder)
    load_network(study, name)  # its files have been compared once
    flip_a_bit(f"{name}/model.safetensors")(folder)
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


CODE = {"AutoConfig": "evil.C", "AutoModelForSequenceClassification": "evil.M", "AutoTokenizer": ["evil.T", None]}


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_in_a_study_is_refused(folder: Path, capfd: pytest.CaptureFixture[str], file: str) -> None:
    """Fault 1: nothing loaded may run code, and nobody is asked whether it may."""
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


def test_no_study_causes_a_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 2: whatever its backbone's name is."""
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


BASE = "base_model.model."
QUERY = f"{BASE}bert.encoder.layer.0.attention.self.query"


def make_adapter(folder: Path, key: str | None = None, value: Any = None, **settings: Any) -> None:
    """Replace the teacher's full weights by an adapter, damaged at a key or with settings that it should not have."""
    (folder / "teacher" / "model.safetensors").unlink()
    given = {"peft_type": "LORA", "r": 2, "lora_alpha": 2} | settings
    (folder / "teacher" / "adapter_config.json").write_text(json.dumps(given))
    shapes = {f"{QUERY}.lora_A.weight": (2, 16), f"{QUERY}.lora_B.weight": (16, 2)}
    shapes |= {f"{BASE}classifier.weight": (2, 16), f"{BASE}classifier.bias": (2,)}
    save_file({name: np.ones(shape, np.float16) for name, shape in shapes.items()}, folder / ADAPTER)
    if key is not None:
        array_edit(ADAPTER, key, value)(folder)


def spoilt_adapter(path: str, content: bytes) -> Damage:
    return lambda folder: (make_adapter(folder), put(path, content)(folder))


ADAPTER, ADAPTER_CONFIG = "teacher/adapter_model.safetensors", "teacher/adapter_config.json"
CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS = (
    f"{SLIM}/{file}" for file in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
)
SPOILT = (b"", b"{", b"[]", b"{}", b"null", b"[" * 20_000, b"\xff\xfe")
HUGE = 10**7
PIECE_500 = {"type": "WordLevel", "vocab": {"[UNK]": 500}, "unk_token": "[UNK]"}
DAMAGE: list[tuple[str, Damage]] = [
    *((SLIM, put(path, content)) for path in (CONFIG, TOKENIZER, TOKENIZER_CONFIG, WEIGHTS) for content in SPOILT),
    *(("teacher", spoilt_adapter(path, content)) for path in (ADAPTER, ADAPTER_CONFIG) for content in SPOILT),
    ("teacher", put("teacher/model.safetensors", b"{}")),
    *((SLIM, json_edit(CONFIG, model_type=kind)) for kind in ("bert", ["slimbert"])),
    *((SLIM, json_edit(CONFIG, hidden_size=width)) for width in (HUGE, "8")),
    (SLIM, json_edit(CONFIG, vocab_size=HUGE)),
    (SLIM, json_edit(CONFIG, layers=None)),
    (SLIM, json_edit(CONFIG, kept_heads=[[0, 1, 2, 3, 4], []])),
    (SLIM, json_edit(CONFIG, hidden_act="boom")),
    (SLIM, json_edit(CONFIG, id2label={"a": "b", "c": "d"})),
    (SLIM, json_edit(TOKENIZER, model=None)),
    (SLIM, json_edit(TOKENIZER, model=PIECE_500)),  # more pieces than the network's table has rows
    *((SLIM, json_edit(TOKENIZER_CONFIG, cls_token=token)) for token in ("[NEW]", 7)),
    *((name, array_edit(f"{name}/model.safetensors", "classifier.bias", DELETE)) for name in (SLIM, "teacher")),
    (SLIM, array_edit(WEIGHTS, "classifier.bias", np.ones(3, np.float16))),
    (SLIM, array_edit(WEIGHTS, "x", np.ones(1))),
    *(
        ("teacher", partial(make_adapter, **settings))
        for settings in ({"peft_type": "IA3"}, {"r": HUGE}, {"r": None}, {"r": -1}, {"use_dora": True})
    ),
    ("teacher", partial(make_adapter, rank_pattern={"query": 4})),
    *(("teacher", partial(make_adapter, key=f"{QUERY}.lora_{half}.weight", value=DELETE)) for half in "AB"),
    ("teacher", partial(make_adapter, key=f"{BASE}classifier.bias", value=DELETE)),
    ("teacher", partial(make_adapter, key=f"{QUERY}.lora_B.weight", value=np.ones((9, 2)))),
    ("teacher", partial(make_adapter, key=f"{QUERY[:-5]}other.lora_A.weight", value=np.ones((2, 16)))),
    ("teacher", partial(make_adapter, key="other", value=np.ones(2))),
]


@pytest.mark.parametrize(("variant", "damage"), DAMAGE)
def test_damage_is_one_line(folder: Path, variant: str, damage: Damage) -> None:
    """Fault 7: with checksums that fit, as a writer with a fault of its own would leave it."""
    damage(folder)
    seal(folder)
    with pytest.raises(StoreError) as caught:
        load_network(read_study(folder), variant)
    message = str(caught.value)
    assert message.startswith(f"sst2/{variant}: ")
    assert message.isprintable()
    assert len(message) < 400


def test_an_adapter_that_names_code_or_another_base_does_neither(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """peft would import `megatron_core` and look for the base; only the matrices count here."""
    make_adapter(folder, megatron_config={}, megatron_core="antigravity", base_model_name_or_path="someone/evil-bert")
    seal(folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("asked the hub"))
    load_network(read_study(folder), "teacher")


UNKNOWN_PIECE = {  # the library panics at the first text
    "type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {},
}
FAR_PIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
    "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "film": 999},
}


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("config.json", {"auto_map": CODE}),
        ("config.json", {"num_hidden_layers": 10**6}),
        ("config.json", {"hidden_size": "wide"}),
        ("config.json", {"vocab_size": HUGE}),
        ("tokenizer_config.json", {"auto_map": CODE}),
        ("tokenizer.json", {"model": None}),
        ("tokenizer.json", {"post_processor": UNKNOWN_PIECE}),
        ("tokenizer.json", {"model": FAR_PIECE}),
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
