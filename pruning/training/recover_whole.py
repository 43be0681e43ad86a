"""Recovery of networks that lost no unit: sparse ones, decomposed ones, those with shared layers.

They read texts as the teacher does; loss, batches, steps and checkpoints are those of `recover`.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from pruning.compress.sparse.movement import SCORE_RATE
from pruning.selection.budget import Budget
from pruning.slimbert import round_to_half
from pruning.training.context import Context
from pruning.training.evaluation import evaluator
from pruning.training.recover import Lessons, Recovered, lasting
from pruning.training.sparsity import Sparsity, growing_sparse
from pruning.training.trainer import Distillation, Training, train


def recover_whole(
    context: Context,
    network: Any,
    name: str,
    budget: Budget,
    lessons: Lessons,
    folder: Path,
    *,
    sparsity: Sparsity | None = None,
    rate: float | None = None,
) -> Recovered:
    """The stage: train a copy of a network by distillation, and make it sparse on the way where that is asked for.

    Args:
        context: of the study.
        network: the teacher as a slim network (`slimbert.dense_from_bert`), or what compression made of it, with the
            teacher's vocabulary and residual width; left as it is.
        name: of the stage.
        budget: what the network ends with, or has already; steps and rate depend on it.
        lessons: what to learn from.
        folder: of the stage.
        sparsity: how zeros come; None trains the network as it is.
        rate: peak learning rate of the weights; None for recovery's own at this budget.

    Raises:
        SelectionError: a sparse network cannot meet the budget.
    """
    settings, distillation = context.config.recover, context.config.distillation
    training = Training(
        name=name,
        folder=folder,
        encoded=lessons.encoded,
        epochs=lasting(context, budget.value),
        rate=settings.rate_at(budget.value) if rate is None else rate,
        distillation=Distillation(
            lessons.answers,
            temperature=distillation.temperature,
            logits_weight=distillation.logits_weight,
            hidden_weight=settings.hidden_weight if lessons.answers.has_hidden else 0.0,
            task_weight=distillation.task_weight,
        ),
        evaluate=evaluator(context.task, context.validation),
    )
    model = copy.deepcopy(network).requires_grad_(True)
    if sparsity is None:
        history = train(model, training, context)
    else:
        with growing_sparse(model, budget, sparsity) as told:
            history = train(model, replace(training, alpha_rate=SCORE_RATE, callbacks=(told,)), context)
    round_to_half(model)
    return Recovered(model, context.tokenizer, history)
