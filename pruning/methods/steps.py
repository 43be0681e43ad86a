"""The steps that methods are made of: select and cut, solve by least squares, train again; each trained one a stage.

The default method's stages have plain names ("recover-10"), which its studies know; another method's bear its name, and
their identity does, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pruning.compress import least_squares
from pruning.compress.cut import shrunk_network
from pruning.config import DEFAULT_METHOD
from pruning.data import Encoded, encode
from pruning.measure.gating import drawn_apart
from pruning.methods.shared import Shared
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select
from pruning.selection.settings import SelectionSettings
from pruning.slimbert import round_to_half
from pruning.stages import Stage
from pruning.training.context import Context
from pruning.training.recover import (
    Cut,
    Manner,
    Recovered,
    checksum,
    recover,
    recovery_name,
    recovery_settings,
)


@dataclass(frozen=True)
class Step:
    """A cut network on its way.

    Attributes:
        cut: the network.
        after: stages that it rests on.
    """

    cut: Cut
    after: tuple[Stage, ...]


def best_units(
    shared: Shared, budget: Budget, criterion: str | None = None, settings: SelectionSettings | None = None
) -> Selection:
    """What survives by the study's own criterion and settings, or by others."""
    config = shared.context.config
    return select(shared.factors, budget, settings or config.selection, criterion or config.criterion, shared.latency)


def cut_to(shared: Shared, budget: Budget, selection: Selection, uncut: Any = None) -> Step:
    """The small network that a selection leaves.

    Args:
        shared: what all methods share.
        budget: that was asked for.
        selection: what survives.
        uncut: the network to cut; None for the study's own.
    """
    share = shared.context.config.selection.general_share
    network = shared.uncut if uncut is None else uncut
    model = shrunk_network(shared.context.task, network, shared.factors, selection, share)
    return Step(Cut(budget, selection, model), (shared.made, shared.ranking))


def solve(shared: Shared, step: Step, method: str = DEFAULT_METHOD) -> Step:
    """The stage: output matrices solved anew so that sub-layers put out what the teacher's do; no training."""
    settings: dict[str, Any] = {"least_squares": shared.context.config.least_squares}
    name = f"least-squares-{step.cut.budget.name}"
    if method != DEFAULT_METHOD:
        settings["selected"] = checksum(step.cut.selection)
    with shared.stages.enter(*_owned(method, name, settings), *step.after) as solving:
        return Step(solve_outputs(shared.context, shared.teacher.model, step.cut), (*step.after, solving))


def solve_outputs(context: Context, teacher: Any, cut: Cut) -> Cut:
    """A cut network with its output matrices solved on training texts, rounded as it would be stored."""
    settings, hidden = context.config.least_squares, cut.selection.masks.hidden
    texts = drawn_apart(context.data.train, settings.texts, context.config.seed)
    encoded = encode(context.tokenizer, texts, context.config.max_length)
    model, _ = least_squares.solved(
        teacher, cut.model, encoded, ridge=settings.ridge, hidden=None if hidden.all() else hidden
    )
    round_to_half(model)
    return replace(cut, model=model)


def own_texts(context: Context, cut: Cut) -> Encoded:
    """The training texts as a cut network reads them."""
    return encode(cut.tokenizer(context), context.data.train, context.config.max_length)


def retrain(
    shared: Shared,
    step: Step,
    seed: int | None,
    method: str = DEFAULT_METHOD,
    manner: Manner | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Recovered:
    """The stage: train what is left again, as many steps as every other method.

    Args:
        shared: what all methods share.
        step: what to train; left as it is.
        seed: of training where it is not the study's own.
        method: whose it is.
        manner: see `Manner`.
        settings: plain values that this training depends on and no other method's does.
    """
    lessons, learning = shared.lessons
    seeded = shared.context.with_seed(seed)
    own = recovery_settings(seeded, step.cut) | dict(settings or {})
    with shared.stages.enter(*_owned(method, recovery_name(seeded, step.cut), own), *step.after, learning) as stage:
        return recover(seeded, step.cut, lessons, stage.folder, manner)


def even_states(teacher: int, student: int) -> tuple[int, ...]:
    """Which of a teacher's hidden states a network of fewer layers follows, its embeddings' first.

    Layer m follows layer m * teacher / student, the mapping that served TinyBERT best (Jiao et al. 2020).
    """
    return tuple(round(number * teacher / student) for number in range(student + 1))


def _owned(method: str, name: str, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A stage's name and settings as they are a method's own."""
    return (name, settings) if method == DEFAULT_METHOD else (f"{method}-{name}", settings | {"method": method})
