"""A training that goes on after an interruption to the same bit, and checkpoints that never look whole when torn."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pruning.data import EpochBuckets
from pruning.errors import TrainingError
from pruning.training import checkpoints
from pruning.training.checkpoints import COMPLETE, STATE, load_trained_state, newest_checkpoint, save_trained_state
from pruning.training.trainer import Distillation
from tests.conftest import build_bert
from tests.factories.small_training import (
    BATCH,
    SETTINGS,
    STEPS,
    Result,
    finish,
    killed_at_step,
    make_cache,
    make_context,
    make_encoded,
    make_training,
    recorded,
    same,
    slim_student,
)

# Drawn once by a die, kept so that every run is the same; the test's name says which step it was.
KILLED_AT = sorted((np.random.default_rng(2).permutation(STEPS)[:6] + 1).tolist())


@contextlib.contextmanager
def killed_in(target: Any, name: str, path_has: str, call: int = 1, *, after: bool = False) -> Iterator[None]:
    """Raise in the n-th call of a function on a path with this text in it, before or after it has done its work."""
    original, calls = getattr(target, name), 0

    def function(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        hit = path_has in " ".join(str(value) for value in args if isinstance(value, str | Path))
        calls += hit
        if hit and calls == call and not after:
            raise KeyboardInterrupt
        result = original(*args, **kwargs)
        if hit and calls == call:
            raise KeyboardInterrupt
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, function)
        yield


def interrupted(kill: contextlib.AbstractContextManager[None], folder: Path, **what: Any) -> None:
    with kill, pytest.raises(KeyboardInterrupt):
        finish(folder, **what)


@pytest.mark.parametrize("step", KILLED_AT)
def test_an_interrupted_stage_ends_the_same(tmp_path: Path, uninterrupted: Result, step: int) -> None:
    interrupted(killed_at_step(step), tmp_path)
    assert len(list(tmp_path.glob("checkpoint-*"))) == min(2, (step - 1) // 2)
    assert same(finish(tmp_path), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_interrupted_again_and_again(tmp_path: Path, uninterrupted: Result) -> None:
    for step in (3, 5, 9, 9, 12):
        interrupted(killed_at_step(step), tmp_path)
    seen: list[list[int]] = []
    with recorded("compute_loss", lambda trainer, model, inputs: inputs["index"].tolist(), seen):
        assert same(finish(tmp_path), uninterrupted)
    buckets = EpochBuckets(make_encoded().lengths, BATCH, SETTINGS["seed"])
    assert seen == buckets.batches(2)[2:]  # the last two batches of the last epoch, and no other


IN_SAVING = {
    "weights": lambda: killed_in(checkpoints, "save_trained_state", "staging", 2),
    "optimizer": lambda: killed_in(torch, "save", "optimizer.pt", 2),
    "random-state": lambda: killed_in(torch, "save", "rng_state", 4),
    "list-of-files": lambda: killed_in(checkpoints.json, "dumps", "", 2),
    "before-rename": lambda: killed_in(os, "replace", "staging", 4),
    "after-rename": lambda: killed_in(os, "replace", "staging", 4, after=True),
    "removing-old": lambda: killed_in(shutil, "rmtree", "checkpoint-2"),
    "result": lambda: killed_in(checkpoints, "save_trained_state", "result.partial"),
    "result-written": lambda: killed_in(checkpoints, "save_trained_state", "result.partial", after=True),
    "removing-checkpoints": lambda: killed_in(shutil, "rmtree", "checkpoint-12"),
}


@pytest.mark.parametrize("where", IN_SAVING)
def test_interrupted_while_saving(tmp_path: Path, uninterrupted: Result, where: str) -> None:
    interrupted(IN_SAVING[where](), tmp_path)
    assert same(finish(tmp_path), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def truncate(checkpoint: Path) -> None:
    os.truncate(checkpoint / "optimizer.pt", 100)


DAMAGES = {
    "truncated": truncate,
    "no-list": lambda checkpoint: (checkpoint / COMPLETE).unlink(),
    "broken-list": lambda checkpoint: (checkpoint / COMPLETE).write_text("{"),
    "no-weights": lambda checkpoint: (checkpoint / STATE).unlink(),
    "no-state": lambda checkpoint: (checkpoint / "trainer_state.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, uninterrupted: Result, damage: str) -> None:
    interrupted(killed_at_step(9), tmp_path)
    newest, older = tmp_path / "checkpoint-8", tmp_path / "checkpoint-6"
    assert newest_checkpoint(tmp_path) == newest
    DAMAGES[damage](newest)
    assert newest_checkpoint(tmp_path) == older
    if damage == "truncated":  # once to the end is enough; and with both damaged, from the beginning
        assert same(finish(tmp_path), uninterrupted)
    elif damage == "no-list":
        truncate(older)
        assert newest_checkpoint(tmp_path) is None
        assert same(finish(tmp_path), uninterrupted)


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    for step in (2, 10, 9):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "file").write_text("x" * step)
        (folder / COMPLETE).write_text(json.dumps({"file": step}))
    (tmp_path / "checkpoint-99.partial").mkdir()
    (tmp_path / "checkpoint-50").mkdir()  # empty
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_checkpoints_hold_what_training_changes_and_load_without_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file

    interrupted(killed_at_step(5), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2", "checkpoint-4"]
    held = load_file(tmp_path / "checkpoint-4" / STATE)
    student = slim_student()
    sensitivities = {name for name, _ in student.named_buffers() if name.endswith("sensitivity")}
    assert set(held) == sensitivities | {name for name, p in student.named_parameters() if p.requires_grad}
    assert all((held[name] > 0).any() for name in sensitivities)  # so `same` compares numbers that were carried over
    load, modes = torch.load, []

    def recording_load(*args: Any, **kwargs: Any) -> Any:
        modes.append(kwargs.get("weights_only"))
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", recording_load)
    finish(tmp_path)
    assert modes
    assert all(mode is True for mode in modes)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-2"
    folder.mkdir()
    save_trained_state(slim_student(), folder / STATE)
    with pytest.raises(TrainingError) as caught:
        load_trained_state(build_bert(), folder / STATE)
    message = "checkpoint-2/model.safetensors: holds other parameters than the network in training"
    assert str(caught.value) == message


def a_recovery(folder: Path) -> dict[str, Any]:
    """In bfloat16, from a teacher's answers and hidden states."""
    encoded = make_encoded()
    distillation = Distillation(make_cache(folder.parent / "cache", encoded, build_bert(1)), hidden_weight=1.0)
    training = make_training(folder, encoded, name="recover-10", epochs=2, distillation=distillation)
    return {"model": build_bert(3), "training": training, "context": make_context(precision="bfloat16")}


def an_adapter(folder: Path) -> dict[str, Any]:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(r=2, target_modules=["query", "value"], modules_to_save=["classifier"])
    torch.manual_seed(0)
    model = get_peft_model(build_bert(num_labels=1), settings)
    training = make_training(folder, make_encoded(is_regression=True), name="teacher", epochs=2)
    return {"model": model, "training": training, "context": make_context(is_regression=True)}


@pytest.mark.parametrize("what", [a_recovery, an_adapter])
def test_other_stages_go_on_as_well(tmp_path: Path, what: Callable[[Path], dict[str, Any]]) -> None:
    expected = finish(tmp_path / "whole", **what(tmp_path / "whole"))
    interrupted(killed_at_step(5), tmp_path / "killed", **what(tmp_path / "killed"))
    assert same(finish(tmp_path / "killed", **what(tmp_path / "killed")), expected)
    if what is a_recovery:
        assert {"task", "logits", "hidden"} <= set(expected[1][0])
        assert all(value.dtype == torch.float32 for value in expected[0].values())


def test_a_full_disk_is_said_in_one_line_and_loses_nothing(
    tmp_path: Path, uninterrupted: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def save_until_full(value: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        if "checkpoint-6" in str(path):
            raise RuntimeError(
                "PytorchStreamWriter failed writing file data/0: file write failed\nException raised ..."
            )
        save(value, path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save_until_full)
        with pytest.raises(TrainingError, match=r"a checkpoint cannot be written .*; expected free disk$") as caught:
            finish(tmp_path)
    assert "\n" not in str(caught.value)
    assert same(finish(tmp_path), uninterrupted)
