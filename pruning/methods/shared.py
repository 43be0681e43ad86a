"""What every method starts from: one trained teacher, its importance factors, its answers; each a stage, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert.backbones import load_backbone
from pruning.bert.model import bert_shape
from pruning.bert.neighbours import neighbours
from pruning.config import StudyConfig
from pruning.data import Examples, encode, joined
from pruning.data.alter import altered
from pruning.files import written_aside
from pruning.importance.factors import ImportanceFactors
from pruning.importance.gather import gather_factors
from pruning.importance.gradients import EXAMPLES
from pruning.importance.registry import CRITERIA
from pruning.measure.logits import predict_logits
from pruning.measure.network import Network
from pruning.selection.latency import LatencyTable
from pruning.stages import Stage, Stages
from pruning.study.arrays import decode_factors, encode_factors
from pruning.training import processes
from pruning.training.context import Context
from pruning.training.recover import Lessons
from pruning.training.slim import Slimmed, slim, slimming_settings
from pruning.training.teacher import Teacher, train_teacher
from pruning.training.teacher_cache import cache_answers, hidden_bytes


@dataclass(frozen=True)
class Shared:
    """What all networks of a study come from, whichever method makes them.

    Attributes:
        context: settings, data, backbone.
        stages: of the run.
        teacher: see `train_teacher`.
        teaching: its stage.
        slimmed: see `slim`; None where slimming was not asked for.
        made: the stage of what is cut: slimming, or the teacher's own.
        factors: what selections are made from.
        ranking: their stage.
        latency: what budgets of milliseconds are counted with; None where there are none.
    """

    context: Context
    stages: Stages
    teacher: Teacher
    teaching: Stage
    slimmed: Slimmed | None
    made: Stage
    factors: ImportanceFactors
    ranking: Stage
    latency: LatencyTable | None = None

    @property
    def uncut(self) -> Any:
        """The network that is cut: the slimmed one where there is one, else the teacher."""
        return self.teacher.model if self.slimmed is None else self.slimmed.model

    @cached_property
    def lessons(self) -> tuple[Lessons, Stage]:
        """What recovery learns from; the teacher is asked when somebody first wants to know."""
        return ask_teacher(self.context, self.stages, self.teacher, self.teaching, other_texts(self.context))

    @cached_property
    def reference(self) -> Mapping[str, np.ndarray]:
        """The teacher's answers to each validation split, (examples, labels) float32."""
        network = Network(self.teacher.model, self.context.tokenizer, self.context.config.max_length)
        return {name: predict_logits(network, examples) for name, examples in self.context.data.validation.items()}


def learn_shared(context: Context, stages: Stages, latency: LatencyTable | None = None) -> Shared:
    """The stages that come before any cut: teacher, slimming where it is asked for, importance.

    Args:
        context: of the study.
        stages: of the run.
        latency: see `Shared`.
    """
    with stages.enter("teacher", teaching_settings(context)) as teaching:
        teacher = train_teacher(context, teaching.folder)
    slimmed, made = None, teaching
    if "slim" in context.config.stages:
        slimmed, made = slim_teacher(context, stages, teacher, teaching)
    if not context.quiet:
        stages.say("importance: gradients of some hundred texts, then what removing each unit costs")
    with stages.enter("importance", importance_settings(context.config), made) as ranking:
        factors = find_importance(context, teacher.model, slimmed, ranking.folder)
    return Shared(context, stages, teacher, teaching, slimmed, made, factors, ranking, latency)


def teaching_settings(context: Context) -> dict[str, Any]:
    """All that the teacher depends on besides the run's inputs."""
    begun = {} if context.start is None else {"start": context.start.sha256}
    rounded = {"keep_teacher": context.config.keep_teacher} if context.has_given_teacher else {}
    return {"teacher": context.config.teacher, **begun, **rounded}


def slim_teacher(context: Context, stages: Stages, teacher: Teacher, teaching: Stage) -> tuple[Slimmed, Stage]:
    """The slimmed teacher. Slimming reads its logits alone, which are the same with hidden states and without."""
    lessons, _ = ask_teacher(context, stages, teacher, teaching)
    with stages.enter("slim", slimming_settings(context.config), teaching) as slimming:
        return slim(context, teacher.model, lessons.answers, slimming.folder), slimming


def ask_teacher(
    context: Context, stages: Stages, teacher: Teacher, teaching: Stage, more: Examples | None = None
) -> tuple[Lessons, Stage]:
    """The teacher's answers on the training texts and more, with its hidden states where there is room for them."""
    name = "cache" if more is None else "transfer-cache"
    examples = context.data.train if more is None else joined(context.data.train, more)
    encoded = context.texts if more is None else encode(context.tokenizer, examples, context.config.max_length)
    states, width = teacher.model.config.num_hidden_layers + 1, teacher.model.config.hidden_size
    hidden = hidden_bytes(encoded, states, width) <= context.config.recover.cache_bytes
    with stages.enter(name, {"texts": examples.sha256, "hidden": hidden}, teaching) as asking:
        answers = cache_answers(context, teacher.model, encoded, asking.folder, hidden=hidden)
    return Lessons(examples, encoded, answers), asking


def other_texts(context: Context) -> Examples | None:
    """What recovery follows the teacher on besides training texts: other tasks' texts, altered copies of its own."""
    others, copies = context.data.transfer, context.config.recover.altered
    if not copies:
        return others
    near = neighbours(load_backbone(context.backbone, context.task, context.config.seed), context.tokenizer)
    own = altered(context.data.train, near, copies, context.config.seed)
    return own if others is None else joined(others, own)


def importance_settings(config: StudyConfig) -> dict[str, Any]:
    """All that importance depends on besides the network; a new criterion starts the stage anew."""
    return {"criteria": list(CRITERIA), "examples": EXAMPLES, "general_share": config.selection.general_share}


def find_importance(context: Context, teacher: Any, slimmed: Slimmed | None, folder: Path) -> ImportanceFactors:
    """The stage: all criteria there are, piece counts, the table's spectrum and the pooler's importance."""
    path = folder / "factors.safetensors"
    with processes.main_first():
        if not path.is_file():
            factors = gather_factors(
                teacher,
                None if slimmed is None else slimmed.model,
                context.tokenizer,
                context.texts,
                is_regression=context.task.is_regression,
                general_share=context.config.selection.general_share,
                seed=context.config.seed,
            )
            with written_aside(path) as aside:
                aside.write_bytes(encode_factors(factors))
    return decode_factors(path.read_bytes(), bert_shape(teacher))
