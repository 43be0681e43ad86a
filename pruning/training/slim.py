"""The stage that trains importance factors: slim layers on a copy of the teacher."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from pruning.bert.gates import attach
from pruning.bert.model import freeze_word_table
from pruning.bert.slim_layer import SENSITIVITY_KEPT
from pruning.config import StudyConfig
from pruning.training.context import Context
from pruning.training.evaluation import evaluator
from pruning.training.teacher_cache import TeacherCache
from pruning.training.trainer import Distillation, Training, train


@dataclass(frozen=True)
class Slimmed:
    """A slimmed network.

    Attributes:
        model: the teacher's copy with slim layers, in eval mode, on the CPU.
        history: what training reported.
    """

    model: Any
    history: list[dict[str, Any]]


def slimming_settings(config: StudyConfig) -> dict[str, Any]:
    """All that slimming depends on besides the teacher."""
    return {"slim": config.slim, "distillation": config.distillation, "sensitivity_kept": SENSITIVITY_KEPT}


def slim(context: Context, teacher: Any, answers: TeacherCache, folder: Path) -> Slimmed:
    """The stage: slim a copy of the teacher.

    Args:
        context: of the study.
        teacher: the dense network; left as it is.
        answers: of the teacher on the training texts.
        folder: of the stage.
    """
    settings, distillation = context.config.slim, context.config.distillation
    model = copy.deepcopy(teacher)
    without_dropout(model)
    freeze_word_table(model)
    if context.config.teacher.tuning == "adapter":
        # A merged adapter's weights have always been frozen here (peft leaves them so): only factors are trained, and
        # all stored studies are made that way. Weights move as well where the teacher was fine-tuned fully.
        model.requires_grad_(False)
    attach(model, sites=settings.sites, penalty=settings.penalty)
    training = Training(
        name="slim",
        folder=folder,
        encoded=context.texts,
        epochs=settings.epochs,
        rate=settings.rate,
        alpha_rate=settings.alpha_rate,
        penalty_weight=settings.penalty_weight,
        distillation=Distillation(
            answers,
            temperature=distillation.temperature,
            logits_weight=distillation.logits_weight,
            task_weight=distillation.task_weight,
        ),
        evaluate=evaluator(context.task, context.validation),
    )
    return Slimmed(model, train(model, training, context))


def without_dropout(model: nn.Module) -> None:
    """Switch dropout off for good: a student follows answers that its teacher gave without."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
