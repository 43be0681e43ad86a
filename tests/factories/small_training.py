"""One training of the tiny BERT: 14 texts, 12 steps, a checkpoint at every other one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from pruning.bert.gates import attach
from pruning.bert.model import freeze_word_table
from pruning.config import StudyConfig, with_settings
from pruning.data import Encoded, Examples, StudyData, custom_task
from pruning.training.context import Context, resolve_precision
from pruning.training.progress import StudyProgress
from pruning.training.teacher_cache import TeacherCache, fill_cache
from pruning.training.trainer import StudyTrainer, Training, train
from tests.conftest import SHAPE, build_bert

ROWS, BATCH, EPOCHS = 14, 4, 3
STEPS_PER_EPOCH = 4  # the last batch formed has two examples
STEPS = EPOCHS * STEPS_PER_EPOCH
SETTINGS = {"seed": 5, "precision": "float32", "batch_size": BATCH, "checkpoint_steps": 2}

Result = tuple[dict[str, torch.Tensor], list[dict[str, Any]]]


def make_context(*, is_regression: bool = False, quiet: bool = True, **settings: Any) -> Context:
    """A study's context; settings by dotted or flat name."""
    task = custom_task("own", ("text",), None if is_regression else ("no", "yes"))
    examples = Examples(("a",), None, np.array([0]), "one text")
    config = with_settings(StudyConfig(), SETTINGS | settings)
    data = StudyData(task, examples, {"validation": examples}, "made up")
    no_backbone: Any = None
    return Context(config, data, no_backbone, None, "cpu", resolve_precision(config.trainer.precision), quiet)


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


def make_training(folder: Path, encoded: Encoded | None = None, **changes: Any) -> Training:
    """A plan, all but its folder filled in."""
    encoded = encoded or make_encoded()
    return replace(Training("slim", folder, encoded, EPOCHS, 1e-3, evaluate=accuracy(encoded)), **changes)


def make_cache(folder: Path, encoded: Encoded, teacher: nn.Module, *, keep_hidden: bool = True) -> TeacherCache:
    """A teacher's answers."""
    return fill_cache(folder, teacher, encoded, keep_hidden=keep_hidden, device=torch.device("cpu"), autocast=False)


def make_trainer(model: nn.Module, training: Training, context: Context | None = None) -> StudyTrainer:
    """A trainer that has not begun."""
    training.folder.mkdir(parents=True, exist_ok=True)
    return StudyTrainer(model, training, context or make_context())


def slim_student() -> nn.Module:
    """Dropout and hard-concrete gates: every step draws random numbers."""
    model = attach(build_bert(2, hidden_dropout_prob=0.2), penalty="l0")
    freeze_word_table(model)
    return model


def slim_training(folder: Path) -> Training:
    """How it is trained."""
    return make_training(folder, alpha_rate=5e-2, penalty_weight=1e-3)


def finish(
    folder: Path, model: nn.Module | None = None, training: Training | None = None, context: Context | None = None
) -> Result:
    """Train to the end; weights and history."""
    model = model or slim_student()
    history = train(model, training or slim_training(folder), context or make_context())
    assert not model.training
    return {name: value.clone() for name, value in model.state_dict().items()}, history


def same(first: Result, second: Result) -> bool:
    """Whether two trainings ended alike, to the bit."""
    return first[1] == second[1] and all(torch.equal(value, second[0][name]) for name, value in first[0].items())


@contextmanager
def recorded(attribute: str, entry: Callable[..., Any], into: list[Any]) -> Iterator[None]:
    """Call `entry` with the arguments of every call of a method of `StudyTrainer`."""
    original = getattr(StudyTrainer, attribute)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        into.append(entry(self, *args))
        return original(self, *args, **kwargs)

    with mock.patch.object(StudyTrainer, attribute, method):
        yield


@contextmanager
def killed_at_step(step: int) -> Iterator[None]:
    """Raise in a callback, as Ctrl-C or SIGTERM would, after a step and before anything of it is saved."""
    original = StudyProgress.on_step_end

    def on_step_end(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        original(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise KeyboardInterrupt

    with mock.patch.object(StudyProgress, "on_step_end", on_step_end):
        yield
