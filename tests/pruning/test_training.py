"""Losses by hand, optimiser groups, batch order, and training that goes on after an interruption to the same bit."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pruning.bert.gates import attach
from pruning.bert.model import freeze_word_table
from pruning.bert.slim_layer import slim_layers, slim_parameters, surviving_share, total_penalty
from pruning.config import StudyConfig
from pruning.data.batches import Encoded, EpochBuckets
from pruning.errors import TrainingError
from pruning.losses import hidden_loss, logits_loss, task_loss
from pruning.training import trainer as training
from pruning.training.teacher_cache import TeacherCache, fill_cache
from pruning.training.trainer import (
    COMPLETE,
    STATE,
    Distillation,
    Stage,
    StudyTrainer,
    load_trained_state,
    native_bfloat16,
    newest_checkpoint,
    run_stage,
    trained_state,
    uses_bfloat16,
)
from tests.conftest import SHAPE, build_bert

ROWS, BATCH, EPOCHS = 14, 4, 3
STEPS_PER_EPOCH = 4  # the last batch formed has two examples
STEPS = EPOCHS * STEPS_PER_EPOCH
CONFIG = StudyConfig(seed=5, precision="float32", batch_size=BATCH, checkpoint_steps=2)
# Drawn once by a die, kept so that every run is the same; the test's name says which step it was.
KILLED_AT = sorted((np.random.default_rng(2).permutation(STEPS)[:6] + 1).tolist())


@pytest.fixture(scope="module", autouse=True)
def frozen_garbage() -> Iterator[None]:
    """The Trainer collects garbage whenever it starts; all that was imported so far need not be searched each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def make_encoded(rows: int = ROWS, seed: int = 0, *, is_regression: bool = False) -> Encoded:
    """Random texts of 3 to 9 tokens."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(3, 10, rows)
    ids = [generator.integers(5, SHAPE.vocabulary, length).astype(np.int32) for length in lengths]
    labels = generator.random(rows).astype(np.float32) if is_regression else generator.integers(0, 2, rows)
    return Encoded(ids, [np.zeros_like(row) for row in ids], lengths, labels, 0, 9, 0)


def accuracy(encoded: Encoded) -> Callable[[nn.Module], dict[str, float]]:
    """A stand-in for the task's metric: a number that changes with every weight."""

    @torch.no_grad()
    def evaluate(model: nn.Module) -> dict[str, float]:
        model.eval()
        ids = torch.from_numpy(encoded.input_ids[0].astype(np.int64))[None]
        return {"accuracy": float(model(input_ids=ids).logits[0, 0])}

    return evaluate


def make_stage(folder: Path, encoded: Encoded | None = None, **changes: Any) -> Stage:
    encoded = encoded or make_encoded()
    stage = Stage("slim", folder, encoded, EPOCHS, 1e-3, False, evaluate=accuracy(encoded))
    return dataclasses.replace(stage, **changes)


def make_cache(folder: Path, encoded: Encoded, teacher: nn.Module, *, keep_hidden: bool = True) -> TeacherCache:
    return fill_cache(folder, teacher, encoded, keep_hidden=keep_hidden, device=torch.device("cpu"), autocast=False)


def make_trainer(model: nn.Module, stage: Stage, config: StudyConfig = CONFIG) -> StudyTrainer:
    stage.folder.mkdir(parents=True, exist_ok=True)
    return StudyTrainer(model, stage, config, "cpu", True)


def batch_of(trainer: StudyTrainer, index: list[int]) -> dict[str, torch.Tensor]:
    return trainer.data_collator(index)  # type: ignore[return-value, arg-type]


# ---- losses --------------------------------------------------------------------------------------------------------


def test_task_loss_by_hand() -> None:
    logits, labels = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([0, 1])
    expected = (math.log(1 + math.exp(2)) + math.log(2)) / 2
    assert task_loss(logits, labels, False).item() == pytest.approx(expected)
    scores, targets = torch.tensor([[1.0], [4.0]]), torch.tensor([2.0, 2.5])
    assert task_loss(scores, targets, True).item() == pytest.approx((1 + 1.5**2) / 2)


def test_examples_without_a_label_do_not_count() -> None:
    logits = torch.tensor([[1.0, 3.0], [0.0, 0.0]], requires_grad=True)
    one = task_loss(logits, torch.tensor([0, -1]), False)
    assert one.item() == pytest.approx(math.log(1 + math.exp(2)))
    scores = torch.tensor([[1.0], [4.0]], requires_grad=True)
    assert task_loss(scores, torch.tensor([2.0, math.nan]), True).item() == 1
    for nothing in (
        task_loss(logits, torch.tensor([-1, -1]), False),
        task_loss(scores, torch.tensor([math.nan, math.nan]), True),
    ):
        assert nothing.item() == 0
        nothing.backward()
    assert torch.equal(logits.grad, torch.zeros(2, 2))  # type: ignore[arg-type]


def test_logits_loss_by_hand() -> None:
    student, teacher = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]]), np.array([[2.0, 0.0, 1.0], [1.0, -1.0, 3.0]])
    temperature, expected = 2.0, 0.0
    for own, target in zip(student, teacher, strict=True):
        p = np.exp(target / temperature) / np.exp(target / temperature).sum()
        q = np.exp(own / temperature) / np.exp(own / temperature).sum()
        expected += temperature**2 * (p * np.log(p / q)).sum() / 2
    found = logits_loss(torch.tensor(student), torch.tensor(teacher), temperature, False)
    assert found.item() == pytest.approx(expected)
    assert logits_loss(torch.tensor(teacher), torch.tensor(teacher), temperature, False).item() == pytest.approx(0)
    scores, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.5]])
    assert logits_loss(scores, targets, temperature, True).item() == pytest.approx((4 + 0.25) / 2)


def test_hidden_loss_by_hand() -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(3, 2, 4, 5)), generator.normal(size=(3, 2, 4, 5))
    weights = np.array([[1.0, 1, 1, 0], [1, 0, 0, 0]])
    variance = np.array([0.5, 1.0, 2.0])
    expected = 0.0
    for layer in range(3):
        distances = [((student - teacher)[layer, b, t] ** 2).mean() for b, t in np.argwhere(weights)]
        expected += np.mean(distances) / variance[layer] / 3
    tensors = [torch.from_numpy(array) for array in (teacher, weights, variance)]
    found = hidden_loss(tuple(torch.from_numpy(student)), *tensors)
    assert found.item() == pytest.approx(expected)
    nothing = hidden_loss(tuple(torch.from_numpy(student)), tensors[0], torch.zeros(2, 4), tensors[2])
    assert nothing.item() == 0


def test_a_batchs_loss_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    encoded, teacher = make_encoded(), build_bert(1)
    cache = make_cache(tmp_path / "cache", encoded, teacher)
    distillation = Distillation(cache, temperature=3.0, logits_weight=0.7, hidden_weight=0.3, task_weight=0.2)
    model = attach(build_bert(0), penalty="l1")
    stage = make_stage(tmp_path / "stage", encoded, penalty_weight=0.01, distillation=distillation)
    trainer = make_trainer(model, stage)
    index = [3, 11, 0]
    found, output = trainer.compute_loss(model, batch_of(trainer, index), return_outputs=True)
    with torch.no_grad():
        inputs = batch_of(trainer, index)
        labels, _ = inputs.pop("labels"), inputs.pop("index")
        own = model(**inputs, output_hidden_states=True)
        target = teacher(**inputs, output_hidden_states=True)
    assert torch.equal(output.logits, own.logits)
    real = inputs["attention_mask"].float()
    expected = (
        0.2 * task_loss(own.logits, labels, False)
        + 0.7 * logits_loss(own.logits, target.logits, 3.0, False)
        + 0.3 * hidden_loss(own.hidden_states, torch.stack(target.hidden_states), real, torch.tensor(cache.variance))
        + 0.01 * total_penalty(model)
    )
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)  # the cache holds half precision


def test_labels_alone_count_fully_and_a_teacher_alone_is_enough(tmp_path: Path) -> None:
    encoded, model = make_encoded(), build_bert()
    trainer = make_trainer(model, make_stage(tmp_path / "labels", encoded))
    batch = batch_of(trainer, [1, 2])
    expected = task_loss(
        model(**{k: v for k, v in batch.items() if k not in ("labels", "index")}).logits, batch["labels"], False
    )
    assert trainer.compute_loss(model, batch).item() == pytest.approx(expected.item())

    unlabelled = dataclasses.replace(encoded, labels=np.full(ROWS, -1), is_labelled=False)
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1), keep_hidden=False)
    alone = make_trainer(model, make_stage(tmp_path / "alone", unlabelled, distillation=Distillation(cache)))
    assert alone.compute_loss(model, batch_of(alone, [1, 2])).item() > 0
    nothing = make_trainer(model, make_stage(tmp_path / "nothing", unlabelled))
    with pytest.raises(TrainingError, match=r"^slim: neither labels nor a teacher to learn from$"):
        nothing.compute_loss(model, batch_of(nothing, [1, 2]))


def test_hidden_states_are_matched_where_both_read_the_same_tokens(tmp_path: Path) -> None:
    """A cut vocabulary spells some texts out (longer, not aligned); a narrow student has some residual units only."""
    encoded = make_encoded()
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1))
    aligned, columns = np.arange(ROWS) % 3 != 0, np.array([0, 3, 4])
    distillation = Distillation(cache, hidden_weight=1.0, columns=columns, aligned=aligned)
    trainer = make_trainer(build_bert(), make_stage(tmp_path / "stage", encoded, distillation=distillation))
    index = np.array([0, 1, 2, 3])
    longest = int(encoded.lengths[index].max()) + 2  # example 0 or 3, spelled out
    lengths = np.where(aligned[index], encoded.lengths[index], longest)
    mask = torch.from_numpy(np.arange(longest) < lengths[:, None]).long()
    generator = torch.Generator().manual_seed(0)
    student = tuple(torch.randn(4, longest, 3, generator=generator) for _ in range(3))
    found = trainer._hidden(SimpleNamespace(hidden_states=student), mask, index)
    expected = 0.0
    tokens = [(row, token) for row in (1, 2) for token in range(encoded.lengths[row])]
    for layer in range(3):
        teacher = cache.hidden(index, longest)[layer][..., columns]
        distances = [(student[layer] - teacher)[place].square().mean().item() for place in tokens]
        expected += np.mean(distances) / cache.variance[layer] / 3
    assert found.item() == pytest.approx(expected, rel=1e-5)
    # Shorter than the teacher's text, the batch still finds its states.
    short = trainer._hidden(SimpleNamespace(hidden_states=tuple(s[:, :2] for s in student)), mask[:, :2], index)
    assert math.isfinite(short.item())


# ---- optimiser, order, schedule ------------------------------------------------------------------------------------


def test_every_trained_parameter_is_in_exactly_one_group(tmp_path: Path) -> None:
    model = attach(build_bert())
    freeze_word_table(model)
    trainer = make_trainer(model, make_stage(tmp_path, alpha_rate=0.02))
    matrices, vectors, factors = trainer.create_optimizer().param_groups
    grouped = [id(p) for group in (matrices, vectors, factors) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters() if p.requires_grad}
    assert id(model.bert.embeddings.word_embeddings.weight) not in grouped
    assert {id(p) for p in factors["params"]} == {id(p) for p in slim_parameters(model)}
    assert all(p.ndim > 1 for p in matrices["params"])
    assert all(p.ndim == 1 for p in vectors["params"])
    assert (matrices["lr"], vectors["lr"], factors["lr"]) == (1e-3, 1e-3, 0.02)
    assert (matrices["weight_decay"], vectors["weight_decay"], factors["weight_decay"]) == (0.01, 0.0, 0.0)
    assert trainer.create_optimizer() is trainer.optimizer  # made once


def test_without_slim_layers_there_are_two_groups(tmp_path: Path) -> None:
    model = build_bert()
    groups = make_trainer(model, make_stage(tmp_path)).create_optimizer().param_groups
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert len(groups) == 2


@contextlib.contextmanager
def recorded(attribute: str, entry: Callable[..., Any], into: list[Any]) -> Iterator[None]:
    """Call `entry` with the arguments of every call of a method of `StudyTrainer`."""
    original = getattr(StudyTrainer, attribute)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        into.append(entry(self, *args))
        return original(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyTrainer, attribute, method)
        yield


def test_batches_come_in_the_order_of_epoch_buckets(tmp_path: Path) -> None:
    encoded = make_encoded()
    buckets = EpochBuckets(encoded.lengths, BATCH, CONFIG.seed)
    expected = [batch for epoch in range(EPOCHS) for batch in buckets.batches(epoch)]
    seen: list[list[int]] = []
    with recorded("compute_loss", lambda trainer, model, inputs: inputs["index"].tolist(), seen):
        run_stage(build_bert(), make_stage(tmp_path), CONFIG, device="cpu", quiet=True)
    assert seen == expected
    assert seen[:STEPS_PER_EPOCH] != seen[STEPS_PER_EPOCH : 2 * STEPS_PER_EPOCH]


def test_rates_rise_then_fall_and_keep_their_proportion(tmp_path: Path) -> None:
    rates: list[list[float]] = []
    config = dataclasses.replace(CONFIG, warmup_share=0.25, checkpoint_steps=100)
    with recorded("compute_loss", lambda trainer, *_: [group["lr"] for group in trainer.optimizer.param_groups], rates):
        run_stage(attach(build_bert()), make_stage(tmp_path, alpha_rate=0.02), config, device="cpu", quiet=True)
    shares = [min(step / 3, (STEPS - step) / 9) for step in range(STEPS)]
    np.testing.assert_allclose(rates, [[1e-3 * share, 1e-3 * share, 0.02 * share] for share in shares])


# ---- a whole stage -------------------------------------------------------------------------------------------------


def slim_student() -> nn.Module:
    """Dropout and hard-concrete gates: every step draws random numbers."""
    model = attach(build_bert(2, hidden_dropout_prob=0.2), penalty="l0")
    freeze_word_table(model)
    return model


def slim_stage(folder: Path) -> Stage:
    return make_stage(folder, alpha_rate=5e-2, penalty_weight=1e-3)


def state_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


Result = tuple[dict[str, torch.Tensor], list[dict[str, Any]]]


def finish(
    folder: Path, model: nn.Module | None = None, stage: Stage | None = None, config: StudyConfig = CONFIG
) -> Result:
    """Train to the end; weights and history."""
    model = model or slim_student()
    history = run_stage(model, stage or slim_stage(folder), config, device="cpu", quiet=True)
    assert not model.training
    return state_of(model), history


def same(first: Result, second: Result) -> bool:
    return first[1] == second[1] and all(torch.equal(value, second[0][name]) for name, value in first[0].items())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return finish(tmp_path_factory.mktemp("uninterrupted"))


def test_training_trains(uninterrupted: Result) -> None:
    weights, history = uninterrupted
    before = slim_student().state_dict()
    changed = {name for name, value in weights.items() if not torch.equal(value, before[name])}
    assert set(weights) - changed == {"bert.embeddings.word_embeddings.weight"}
    logs = [entry for entry in history if "loss" in entry]
    assert [entry["step"] for entry in logs] == list(range(2, STEPS + 1, 2))
    assert all(entry["stage"] == "slim" for entry in history)
    assert {"step", "epoch", "loss", "task", "penalty", "alive", "learning_rate"} <= set(logs[0])
    metrics = [entry for entry in history if "accuracy" in entry]
    assert [(entry["step"], entry["epoch"]) for entry in metrics] == [(4, 1.0), (8, 2.0), (12, 3.0)]
    json.dumps(history, allow_nan=False)
    model = slim_student()
    model.load_state_dict(weights)
    assert logs[-1]["alive"] == pytest.approx(surviving_share(model))


def test_a_finished_stage_is_only_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = finish(tmp_path / "stage")
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["result"]
    monkeypatch.setattr(training, "StudyTrainer", None)
    assert same(finish(tmp_path / "stage"), first)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path, uninterrupted: Result) -> None:
    torch.manual_seed(99)  # what went on before does not matter
    assert same(finish(tmp_path / "again"), uninterrupted)
    assert not same(finish(tmp_path / "other", config=dataclasses.replace(CONFIG, seed=6)), uninterrupted)


# ---- interruptions -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def killed_at_step(step: int) -> Iterator[None]:
    """Raise in a callback, as Ctrl-C or SIGTERM would, after a step and before anything of it is saved."""
    original = training.StudyProgress.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        original(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.StudyProgress, "on_step_end", on_step_end)
        yield


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
    buckets = EpochBuckets(make_encoded().lengths, BATCH, CONFIG.seed)
    assert seen == buckets.batches(2)[2:]  # the last two batches of the last epoch, and no other


IN_SAVING = {
    "weights": lambda: killed_in(training, "save_file", "staging", 2),
    "optimizer": lambda: killed_in(torch, "save", "optimizer.pt", 2),
    "random-state": lambda: killed_in(torch, "save", "rng_state", 4),
    "list-of-files": lambda: killed_in(training.json, "dumps", "", 2),
    "before-rename": lambda: killed_in(os, "replace", "staging", 4),
    "after-rename": lambda: killed_in(os, "replace", "staging", 4, after=True),
    "removing-old": lambda: killed_in(training.shutil, "rmtree", "checkpoint-2"),
    "result": lambda: killed_in(training, "save_file", "result.partial"),
    "result-written": lambda: killed_in(training, "save_file", "result.partial", after=True),
    "removing-checkpoints": lambda: killed_in(training.shutil, "rmtree", "checkpoint-12", 2),
}


@pytest.mark.parametrize("where", IN_SAVING)
def test_interrupted_while_saving(tmp_path: Path, uninterrupted: Result, where: str) -> None:
    interrupted(IN_SAVING[where](), tmp_path)
    assert same(finish(tmp_path), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def truncate(checkpoint: Path) -> None:
    os.truncate(checkpoint / "optimizer.pt", 100)


def damage_list(checkpoint: Path) -> None:
    (checkpoint / COMPLETE).write_text("{")


DAMAGES = {
    "truncated": truncate,
    "no-list": lambda checkpoint: (checkpoint / COMPLETE).unlink(),
    "broken-list": damage_list,
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
    assert set(held) == {name for name, p in slim_student().named_parameters() if p.requires_grad}
    load, modes = torch.load, []

    def recording_load(*args: Any, **kwargs: Any) -> Any:
        modes.append(kwargs.get("weights_only"))
        return load(*args, **kwargs)

    monkeypatch.setattr(torch, "load", recording_load)
    finish(tmp_path)
    assert modes
    assert all(mode is True for mode in modes)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    folder = tmp_path / "checkpoint-2"
    folder.mkdir()
    save_file(trained_state(slim_student()), folder / STATE)
    with pytest.raises(TrainingError) as caught:
        load_trained_state(build_bert(), folder / STATE)
    message = "checkpoint-2/model.safetensors: holds other parameters than the network in training"
    assert str(caught.value) == message


def test_recovery_in_bfloat16_goes_on_as_well(tmp_path: Path) -> None:
    encoded = make_encoded()
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1))
    config = dataclasses.replace(CONFIG, precision="bfloat16")
    distillation = Distillation(cache, hidden_weight=1.0)

    def what(folder: Path) -> dict[str, Any]:
        stage = make_stage(folder, encoded, name="recover-10", epochs=2, distillation=distillation)
        return {"model": build_bert(3), "stage": stage, "config": config}

    expected = finish(tmp_path / "whole", **what(tmp_path / "whole"))
    interrupted(killed_at_step(6), tmp_path / "killed", **what(tmp_path / "killed"))
    assert same(finish(tmp_path / "killed", **what(tmp_path / "killed")), expected)
    assert {"task", "logits", "hidden"} <= set(expected[1][0])
    assert all(value.dtype == torch.float32 for value in expected[0].values())


def test_an_adapter_goes_on_as_well(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    def what(folder: Path) -> dict[str, Any]:
        encoded = make_encoded(is_regression=True)
        settings = LoraConfig(r=2, target_modules=["query", "value"], modules_to_save=["classifier"])
        torch.manual_seed(0)
        model = get_peft_model(build_bert(num_labels=1), settings)
        stage = make_stage(folder, encoded, name="teacher", epochs=2, is_regression=True)
        return {"model": model, "stage": stage}

    expected = finish(tmp_path / "whole", **what(tmp_path / "whole"))
    interrupted(killed_at_step(5), tmp_path / "killed", **what(tmp_path / "killed"))
    assert same(finish(tmp_path / "killed", **what(tmp_path / "killed")), expected)


def test_a_write_cut_short_never_looks_like_a_checkpoint(
    tmp_path: Path, uninterrupted: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SIGKILL leaves in the middle of a write: half a file, and nothing tidied up."""
    save = torch.save

    def save_half(value: Any, path: Any, *args: Any, **kwargs: Any) -> None:
        save(value, path, *args, **kwargs)
        if "checkpoint-6" in str(path):
            os.truncate(path, 50)
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", save_half)
        interrupted(contextlib.nullcontext(), tmp_path)
    assert (tmp_path / "staging" / "checkpoint-6").is_dir()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-4"
    assert same(finish(tmp_path), uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


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


# ---- what a person sees, and precision -----------------------------------------------------------------------------


def test_progress_goes_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_stage(slim_student(), slim_stage(tmp_path), CONFIG, device="cpu", quiet=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    for expected in ("slim: 100%", f"{STEPS}/{STEPS}", "loss=", "penalty=", "alive=", "accuracy=", "step/s"):
        assert expected in printed.err


def test_quiet_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(tmp_path)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uses_bfloat16(StudyConfig(precision="bfloat16"))
    assert not uses_bfloat16(StudyConfig(precision="float32"))
    for flags, expected in (("fpu sse avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512f", False)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(Path, "read_text", lambda self, flags=flags, **kwargs: f"flags\t: {flags}\n")
        assert native_bfloat16() is expected
        assert uses_bfloat16(StudyConfig(precision="auto")) is expected


def test_slim_layers_are_penalised_only_where_asked(tmp_path: Path) -> None:
    model = attach(build_bert())
    with_penalty = make_trainer(model, make_stage(tmp_path, penalty_weight=1.0))
    without = make_trainer(model, make_stage(tmp_path))
    batch = batch_of(without, [0, 1])
    difference = with_penalty.compute_loss(model, dict(batch)) - without.compute_loss(model, dict(batch))
    assert difference.item() == pytest.approx(total_penalty(model).item(), rel=1e-5)
    assert len(slim_layers(model)) == 1 + 2 * 4
