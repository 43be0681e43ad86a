"""Rival: SlimBERT as its authors ran it.

Xu 2022, "Compression and Analysis of Pre-trained Language Model with Neural Slimming" (code: Zhou3983/SlimBERT).
Factors alpha are trained together with the weights of the *pretrained* network on the task's labels, under the log
penalty; one quantile of |alpha| over all sites settles what stays; then the pretrained weights come back under the
binary masks, alpha is forgotten, and that is fine-tuned on the labels, without a teacher.

Three things are not theirs. What is masked is removed, which changes no answer (see `compress.shrink`), so that
parameters and time are those of a network that runs. Their factors behind a layer's last LayerNorm act on what the next
layer's attention reads, and not on the residual stream itself, of which no single layer's unit can be removed. The word
table is the default method's, for theirs only masks its columns; rate and number of steps are those of all methods.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pruning.bert.backbones import load_backbone
from pruning.bert.gates import read_factors
from pruning.bert.shapes import LAYER_SITES, Site
from pruning.config import DistillationSettings, StudyConfig, with_settings
from pruning.errors import SelectionError
from pruning.importance.factors import Importance
from pruning.methods.made import Chosen
from pruning.methods.room import Room, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import Step, cut_to
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, largest_count
from pruning.stages import Stage
from pruning.training.recover import Manner
from pruning.training.slim import Slimmed, slim, slimming_settings

NAME = "slimbert"


def choose(shared: Shared, budget: Budget, seed: int | None) -> Chosen:
    """Slim the pretrained network, cut it afresh by one quantile; what follows is fine-tuning."""
    slimmed, slimming = slim_backbone(shared)
    alpha = {site: np.abs(values.detach().cpu().numpy()) for site, values in read_factors(slimmed.model).items()}
    step = cut_to(shared, budget, above_quantile(room_at(shared, budget), alpha), backbone_of(shared))
    step = Step(step.cut, (*step.after, slimming))
    return Chosen(step, NAME, manner=Manner(follows=False), history=tuple(slimmed.history))


def backbone_of(shared: Shared) -> object:
    """The pretrained network with a head that nothing has trained yet."""
    context = shared.context
    return load_backbone(context.backbone, context.task, context.config.seed, with_head=context.has_given_teacher)


def slim_backbone(shared: Shared) -> tuple[Slimmed, Stage]:
    """The stage: factors and weights trained together, from labels alone."""
    lessons, learning = shared.lessons
    config = _own_config(shared.context.config)
    context = replace(shared.context, config=config)
    with shared.stages.enter(f"{NAME}-slim", slimming_settings(config) | {"from": "backbone"}, learning) as slimming:
        return slim(context, backbone_of(shared), lessons.answers, slimming.folder), slimming


def _own_config(config: StudyConfig) -> StudyConfig:
    """The study's settings with SlimBERT's own where it differs."""
    return with_settings(
        config,
        {
            "teacher.tuning": "full",  # the weights are trained as well, not the factors alone
            "distillation": DistillationSettings(logits_weight=0.0, task_weight=1.0),
            "slim.sites": LAYER_SITES,
            "slim.penalty": "log",
        },
    )


def above_quantile(room: Room, alpha: Importance) -> Selection:
    """The units above one quantile of |alpha| over all sites, the lowest that the budget allows.

    Raises:
        SelectionError: if no unit at all fits.
    """
    flat = np.concatenate([alpha[site].ravel() for site in LAYER_SITES])
    order = np.argsort(-flat, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    places: dict[Site, np.ndarray] = {}
    start = 0
    for site in LAYER_SITES:
        places[site] = place[start : start + alpha[site].size].reshape(alpha[site].shape)
        start += alpha[site].size

    def build(count: int) -> Selection:
        masks = room.base
        for site, own in places.items():
            masks = masks.with_site(site, own < count)
        return room.selection(masks)

    count = largest_count(len(order), lambda count: room.cost(build(count).shape) <= room.limit)
    if count < 0:
        raise SelectionError("slimbert: not even a network without any unit is within the budget")
    return build(count)
