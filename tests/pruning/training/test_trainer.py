"""A batch's loss, optimiser groups, batch order, and a whole training with what a person sees of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

from pruning.bert.gates import attach
from pruning.bert.model import freeze_word_table
from pruning.bert.slim_layer import (
    SENSITIVITY_KEPT,
    slim_layers,
    slim_parameters,
    surviving_share,
    total_penalty,
)
from pruning.bert.spelling import Stretches
from pruning.data import EpochBuckets
from pruning.errors import TrainingError
from pruning.losses import hidden_loss, logits_loss, task_loss
from pruning.training import trainer as training
from pruning.training.context import native_bfloat16, resolve_precision
from pruning.training.trainer import Distillation, StudyTrainer, train
from tests.conftest import SHAPE, build_bert
from tests.factories.small_training import (
    BATCH,
    EPOCHS,
    ROWS,
    SETTINGS,
    STEPS,
    STEPS_PER_EPOCH,
    Result,
    finish,
    make_cache,
    make_context,
    make_encoded,
    make_trainer,
    make_training,
    recorded,
    same,
    slim_student,
    slim_training,
)


def batch_of(trainer: StudyTrainer, index: list[int]) -> dict[str, torch.Tensor]:
    return trainer.data_collator(index)  # type: ignore[return-value, arg-type]


def test_a_batchs_loss_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    encoded, teacher = make_encoded(), build_bert(1)
    cache = make_cache(tmp_path / "cache", encoded, teacher)
    distillation = Distillation(cache, temperature=3.0, logits_weight=0.7, hidden_weight=0.3, task_weight=0.2)
    model = attach(build_bert(0), penalty="l1")
    plan = make_training(tmp_path / "stage", encoded, penalty_weight=0.01, distillation=distillation)
    trainer = make_trainer(model, plan)
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


def test_a_step_records_the_sensitivity_of_its_batch(tmp_path: Path) -> None:
    """Of the loss without the penalty, before gradients are clipped."""
    model = attach(build_bert())
    with torch.no_grad():
        for alpha in slim_parameters(model):
            alpha.mul_(torch.linspace(0.1, 2.0, len(alpha)))
    plan = make_training(tmp_path, make_encoded(3), epochs=1)
    trainer = make_trainer(model, plan)
    trainer.compute_loss(model, batch_of(trainer, [0, 1, 2])).backward()
    expected = [(alpha.detach() * alpha.grad).abs() for alpha in slim_parameters(model)]  # type: ignore[operator]
    model.zero_grad()
    finish(tmp_path, model, dataclasses.replace(plan, penalty_weight=0.1))
    for layer, own in zip(slim_layers(model), expected, strict=True):
        torch.testing.assert_close(layer.sensitivity / (1 - SENSITIVITY_KEPT), own, rtol=1e-3, atol=1e-6)


def test_labels_alone_count_fully_and_a_teacher_alone_is_enough(tmp_path: Path) -> None:
    encoded, model = make_encoded(), build_bert()
    trainer = make_trainer(model, make_training(tmp_path / "labels", encoded))
    batch = batch_of(trainer, [1, 2])
    expected = task_loss(
        model(**{k: v for k, v in batch.items() if k not in ("labels", "index")}).logits, batch["labels"], False
    )
    assert trainer.compute_loss(model, batch).item() == pytest.approx(expected.item())

    unlabelled = dataclasses.replace(encoded, labels=np.full(ROWS, -1), is_labelled=False)
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1), keep_hidden=False)
    alone = make_trainer(model, make_training(tmp_path / "alone", unlabelled, distillation=Distillation(cache)))
    assert alone.compute_loss(model, batch_of(alone, [1, 2])).item() > 0
    nothing = make_trainer(model, make_training(tmp_path / "nothing", unlabelled))
    with pytest.raises(TrainingError, match=r"^slim: neither labels nor a teacher to learn from$"):
        nothing.compute_loss(model, batch_of(nothing, [1, 2]))


def test_hidden_states_are_matched_stretch_by_stretch(tmp_path: Path) -> None:
    """A cut vocabulary spells a piece in two (example 0); a narrow student has some residual units only."""
    encoded = make_encoded()
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1))
    columns, index = np.array([0, 3, 4]), np.array([0, 1])
    theirs = [np.arange(length, dtype=np.int32) for length in encoded.lengths]
    mine = [np.append([0, 0], np.arange(1, len(theirs[0]))).astype(np.int32), *theirs[1:]]
    spelled = Stretches(mine, theirs, encoded.lengths)
    distillation = Distillation(cache, hidden_weight=1.0, columns=columns, stretches=spelled)
    trainer = make_trainer(build_bert(), make_training(tmp_path / "stage", encoded, distillation=distillation))
    longest = int(encoded.lengths[index].max()) + 1
    mask = torch.from_numpy(np.arange(longest) < [[len(mine[0])], [len(mine[1])]]).long()
    generator = torch.Generator().manual_seed(0)
    student = tuple(torch.randn(2, longest, 3, generator=generator) for _ in range(3))
    found = trainer._hidden(SimpleNamespace(hidden_states=student), mask, index)
    expected = 0.0
    for layer in range(3):
        teacher = cache.hidden(index, longest)[layer][..., columns]
        pairs = [(student[layer][0, :2].mean(0), teacher[0, 0])]
        pairs += [(student[layer][0, place + 1], teacher[0, place]) for place in range(1, len(theirs[0]))]
        pairs += [(student[layer][1, place], teacher[1, place]) for place in range(len(theirs[1]))]
        distances = [(own - other).square().mean().item() for own, other in pairs]
        expected += np.mean(distances) / cache.variance[layer] / 3
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_where_both_read_the_same_tokens_they_are_matched_one_by_one(tmp_path: Path) -> None:
    encoded = make_encoded()
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1))
    places = [np.arange(length, dtype=np.int32) for length in encoded.lengths]
    found = []
    for number, spelled in enumerate((None, Stretches(places, places, encoded.lengths))):
        distillation = Distillation(cache, hidden_weight=1.0, stretches=spelled)
        training = make_training(tmp_path / f"stage{number}", encoded, distillation=distillation)
        trainer = make_trainer(build_bert(), training)
        found.append(trainer.compute_loss(trainer.model, batch_of(trainer, [0, 1, 2])).item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_network_of_fewer_layers_follows_the_states_it_is_told_to(tmp_path: Path) -> None:
    encoded = make_encoded()
    cache = make_cache(tmp_path / "cache", encoded, build_bert(1))
    distillation = Distillation(cache, hidden_weight=1.0, states=(0, 2))
    trainer = make_trainer(build_bert(), make_training(tmp_path / "stage", encoded, distillation=distillation))
    index, longest = np.array([0, 1]), int(encoded.lengths[:2].max())
    mask = torch.from_numpy(np.arange(longest) < encoded.lengths[:2, None]).long()
    generator = torch.Generator().manual_seed(0)
    student = tuple(torch.randn(2, longest, SHAPE.hidden, generator=generator) for _ in range(2))
    found = trainer._hidden(SimpleNamespace(hidden_states=student), mask, index)
    teacher, variance = cache.hidden(index, longest), torch.from_numpy(cache.variance)
    expected = hidden_loss(student, teacher[[0, 2]], mask.float(), variance[[0, 2]])
    assert found.item() == pytest.approx(expected.item())
    assert found.item() != pytest.approx(hidden_loss(student, teacher, mask.float(), variance).item())


class Told(TrainerCallback):
    """Notes the steps it is told of, and empties a matrix at each."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.steps.append(state.global_step)
        with torch.no_grad():
            kwargs["model"].classifier.weight.zero_()


def test_callbacks_are_told_of_every_step_before_it_is_saved_or_scored(tmp_path: Path) -> None:
    told, model = Told(), build_bert()
    plan = make_training(
        tmp_path, evaluate=lambda model: {"accuracy": float(model.classifier.weight.detach().abs().max())}
    )
    history = train(model, dataclasses.replace(plan, callbacks=(told,)), make_context())
    assert told.steps == list(range(1, STEPS + 1))
    assert [entry["accuracy"] for entry in history if "accuracy" in entry] == [0.0] * EPOCHS
    assert not model.classifier.weight.any()


def test_every_trained_parameter_is_in_exactly_one_group(tmp_path: Path) -> None:
    model = attach(build_bert())
    freeze_word_table(model)
    trainer = make_trainer(model, make_training(tmp_path, alpha_rate=0.02))
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
    without = make_trainer(build_bert(), make_training(tmp_path)).create_optimizer().param_groups
    assert [len(group["params"]) for group in without] == [len(matrices["params"]) + 1, len(vectors["params"])]


def test_batches_come_in_the_order_of_epoch_buckets(tmp_path: Path) -> None:
    encoded = make_encoded()
    buckets = EpochBuckets(encoded.lengths, BATCH, SETTINGS["seed"])
    expected = [batch for epoch in range(EPOCHS) for batch in buckets.batches(epoch)]
    seen: list[list[int]] = []
    with recorded("compute_loss", lambda trainer, model, inputs: inputs["index"].tolist(), seen):
        train(build_bert(), make_training(tmp_path), make_context())
    assert seen == expected
    assert seen[:STEPS_PER_EPOCH] != seen[STEPS_PER_EPOCH : 2 * STEPS_PER_EPOCH]


def test_rates_rise_then_fall_and_keep_their_proportion(tmp_path: Path) -> None:
    rates: list[list[float]] = []
    context = make_context(warmup_share=0.25, checkpoint_steps=100)
    with recorded("compute_loss", lambda trainer, *_: [group["lr"] for group in trainer.optimizer.param_groups], rates):
        train(attach(build_bert()), make_training(tmp_path, alpha_rate=0.02), context)
    shares = [min(step / 3, (STEPS - step) / 9) for step in range(STEPS)]
    np.testing.assert_allclose(rates, [[1e-3 * share, 1e-3 * share, 0.02 * share] for share in shares])


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
    assert not same(finish(tmp_path / "other", context=make_context(seed=6)), uninterrupted)


def test_progress_goes_to_standard_error_unless_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(slim_student(), slim_training(tmp_path), make_context(quiet=False))
    printed = capsys.readouterr()
    assert printed.out == ""
    for expected in ("slim: 100%", f"{STEPS}/{STEPS}", "loss=", "penalty=", "alive=", "accuracy=", "step/s"):
        assert expected in printed.err
    finish(tmp_path / "quiet")
    assert tuple(capsys.readouterr()) == ("", "")


def test_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [resolve_precision(kind) for kind in ("bfloat16", "float32")] == ["bfloat16", "float32"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for flags, expected in (("fpu sse avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx512f", False)):
        monkeypatch.setattr(Path, "read_text", lambda self, flags=flags, **kwargs: f"flags\t: {flags}\n")
        assert native_bfloat16() is expected
        assert resolve_precision("auto") == ("bfloat16" if expected else "float32")
