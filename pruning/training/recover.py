"""The stage that trains what a cut has left to follow the teacher again."""

from __future__ import annotations

import copy
import hashlib
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert import vocabulary
from pruning.bert.shapes import Site
from pruning.bert.spelling import stretches
from pruning.compress.sparse.movement import SCORE_RATE
from pruning.data import Encoded, Examples, encode
from pruning.records import to_plain
from pruning.selection.budget import Budget
from pruning.selection.select import Selection
from pruning.slimbert import round_to_half
from pruning.training.context import Context
from pruning.training.evaluation import evaluator
from pruning.training.sparsity import Sparsity, growing_sparse
from pruning.training.teacher_cache import TeacherCache
from pruning.training.trainer import Distillation, Mixture, Training, train


@dataclass(frozen=True)
class Lessons:
    """What recovery learns from.

    Attributes:
        examples: the training examples, and texts without labels after them where there are some.
        encoded: the same as the teacher reads them.
        answers: of the teacher.
    """

    examples: Examples
    encoded: Encoded
    answers: TeacherCache


@dataclass(frozen=True)
class Recovered:
    """A recovered network.

    Attributes:
        model: in eval mode, on the CPU, weights rounded through half precision as they are stored.
        tokenizer: of the cut vocabulary.
        history: what training reported.
    """

    model: Any
    tokenizer: Any
    history: list[dict[str, Any]]


@dataclass(frozen=True)
class Cut:
    """A network that was cut.

    Attributes:
        budget: what was asked for.
        selection: what survived.
        model: the shrunk network before recovery, in eval mode, on the CPU.
    """

    budget: Budget
    selection: Selection
    model: Any

    def tokenizer(self, context: Context) -> Any:
        """Of the vocabulary that is left."""
        return vocabulary.cut_tokenizer(context.tokenizer, self.selection.pieces, positions=self.selection.positions)


@dataclass(frozen=True)
class Manner:
    """What about a recovery may be another method's own; the default method's by default.

    Attributes:
        follows: whether it follows the teacher; else it learns the labels of the training examples alone.
        states: see `Distillation`.
        sparsity: how zeros come meanwhile; None where none do.
    """

    follows: bool = True
    states: tuple[int, ...] | None = None
    sparsity: Sparsity | None = None


def recovery_name(context: Context, cut: Cut) -> str:
    """The stage's: "recover-10", "recover-10-seed1"."""
    seed = "" if context.training_seed is None else f"-seed{context.training_seed}"
    return f"recover-{cut.budget.name}{seed}"


def recovery_settings(context: Context, cut: Cut) -> dict[str, Any]:
    """All settings that a recovery depends on; what it learns from is another stage's."""
    config = context.config
    counted = to_plain(config.recover)
    for elsewhere in (
        "epochs",
        "steps",
        "seeds",
        "cache_bytes",
        "transfer",
        "transfer_rows",
    ):  # as resolved, or in the texts' checksums
        del counted[elsewhere]
    counted["rate"] = config.recover.rate_at(cut.budget.value)
    return {
        "budget": cut.budget,
        "lasting": to_plain(asdict(long) if isinstance(long := lasting(context, cut.budget.value), Mixture) else long),
        "recover": counted,
        "distillation": config.distillation,
        "criterion": config.criterion,
        **({} if context.training_seed is None else {"training seed": context.training_seed}),
        "selection": config.selection,
        "selected": checksum(cut.selection),
    }


def checksum(selection: Selection) -> str:
    """Of all that survived."""
    arrays = [*(selection.masks[site] for site in Site), selection.pieces, selection.pooler]
    digest = hashlib.sha256(repr((selection.rank, selection.positions)).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array, dtype=np.int64).tobytes())
    return digest.hexdigest()


def lasting(context: Context, budget: float) -> int | Mixture:
    """How long a recovery to a budget takes: epochs, or steps on own examples and others."""
    settings = context.config.recover
    if settings.epochs:
        return settings.epochs_at(budget)
    return Mixture(settings.steps_at(budget), len(context.data.train), settings.own_share, settings.last_share)


def recover(context: Context, cut: Cut, lessons: Lessons, folder: Path, manner: Manner | None = None) -> Recovered:
    """The stage: train a copy of a shrunk network, by distillation unless `manner` says otherwise.

    Args:
        context: of the study.
        cut: what to train; left as it is.
        lessons: what to learn from.
        folder: of the stage.
        manner: see `Manner`.

    Raises:
        SelectionError: zeros alone cannot meet a sparse network's budget.
    """
    manner = manner or Manner()
    model, tokenizer = copy.deepcopy(cut.model), cut.tokenizer(context)
    examples = lessons.examples if manner.follows else context.data.train
    own = encode(tokenizer, examples, context.config.max_length)
    training = Training(
        name=recovery_name(context, cut),
        folder=folder,
        encoded=own,
        epochs=lasting(context, cut.budget.value),
        rate=context.config.recover.rate_at(cut.budget.value),
        distillation=_distillation(context, cut, lessons, (tokenizer, own), manner) if manner.follows else None,
        evaluate=evaluator(context.task, context.validation_for(tokenizer)),
    )
    with ExitStack() as meanwhile:
        if manner.sparsity is not None:
            told = meanwhile.enter_context(growing_sparse(model, manner.sparsity))
            training = replace(training, alpha_rate=SCORE_RATE, callbacks=(told,))
        history = train(model, training, context)
    round_to_half(model)
    return Recovered(model, tokenizer, history)


def _distillation(
    context: Context, cut: Cut, lessons: Lessons, student: tuple[Any, Encoded], manner: Manner
) -> Distillation:
    """What a cut network learns from the teacher; `student` is its tokenizer, and the examples as it reads them."""
    found = stretches(student, (context.tokenizer, lessons.encoded))
    settings, hidden = context.config.distillation, cut.selection.masks.hidden
    return Distillation(
        lessons.answers,
        temperature=settings.temperature,
        logits_weight=settings.logits_weight,
        hidden_weight=context.config.recover.hidden_weight if lessons.answers.has_hidden else 0.0,
        task_weight=settings.task_weight,
        columns=None if hidden.all() else np.flatnonzero(hidden),
        stretches=None if found.is_plain else found,
        states=manner.states,
    )
