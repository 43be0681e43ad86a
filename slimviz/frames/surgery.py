"""Head surgery as rows: which heads are there, which are cut, and what that changed in the answers (pure)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pruning.bert.shapes import BertShape
from pruning.data.tasks import Task
from pruning.measure.metrics import correct, metrics, predictions

Head = tuple[int, int]  # layer and head, from 0


def surgery_frame(
    shape: BertShape, there: Collection[Head], cut: Collection[Head], ranked: pd.DataFrame | None
) -> pd.DataFrame:
    """What is drawn of one network, a row a head of the uncut one.

    Args:
        shape: of the uncut network.
        there: heads that the network has.
        cut: those that the visitor cut from it.
        ranked: the study's heads, of `head_frame`; None where nothing ranks them, and all look alike.

    Returns:
        Columns layer and head (from 1), state ("on", "cut", "gone"), shade, rank ("3 of 72").
    """
    places = list(np.ndindex(shape.layers, shape.heads))
    frame = pd.DataFrame(places, columns=["layer", "head"]) + 1
    frame["state"] = ["cut" if place in cut else "on" if place in there else "gone" for place in places]
    if ranked is None:
        return frame.assign(shade=1.0, rank="not measured")
    ranks = [f"{rank} of {total}" for rank, total in zip(ranked["rank"], ranked["heads"], strict=True)]
    return frame.assign(shade=ranked["shade"].to_numpy(), rank=ranks)


@dataclass(frozen=True)
class Effect:
    """What a cut changed in a network's answers to labelled examples.

    Attributes:
        examples: how many.
        metric: the task's main one, by name.
        before: its value with all heads.
        after: its value with those that are left.
        correct_before: right answers; None in a regression.
        correct_after: the same with those that are left.
        changed: answers that are others now; None in a regression.
        moved: mean distance that scores moved; None but in a regression.
    """

    examples: int
    metric: str
    before: float
    after: float
    correct_before: int | None
    correct_after: int | None
    changed: int | None
    moved: float | None


def effect(task: Task, before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> Effect:
    """Compare what a network says with and without some heads.

    Args:
        task: what the labels mean.
        before: (examples, labels) logits with all heads.
        after: the same without some.
        labels: (examples,) class numbers or scores.
    """
    metric = task.main_metric
    first, second = predictions(task, before), predictions(task, after)
    return Effect(
        examples=len(labels),
        metric=metric,
        before=metrics(task, before, labels)[metric],
        after=metrics(task, after, labels)[metric],
        correct_before=correct(task, before, labels),
        correct_after=correct(task, after, labels),
        changed=None if task.is_regression else int((first != second).sum()),
        moved=float(np.abs(first - second).mean()) if task.is_regression else None,
    )
