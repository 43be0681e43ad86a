"""Examples that slim network and teacher answer differently, and heads that bring one back, as rows (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pruning.bert.shapes import BertShape
from pruning.data.tasks import Task
from pruning.measure.answers import probabilities
from pruning.measure.metrics import predictions

Head = tuple[int, int]  # layer and head, from 0
MOST_SCORES = 10  # pairs listed of a regression, where there are no flips


def flips(task: Task, teacher: np.ndarray, slim: np.ndarray) -> list[int]:
    """Numbers of the examples with different answers, the most decided first; of a regression, of those furthest apart.

    Args:
        task: whose labels the logits are of.
        teacher: (examples, labels) logits.
        slim: the same of the slim network.
    """
    first, second = predictions(task, teacher), predictions(task, slim)
    if task.is_regression:
        order = np.argsort(-np.abs(first - second), kind="stable")
        return order[:MOST_SCORES].tolist()
    sure = probabilities(teacher).max(-1) + probabilities(slim).max(-1)
    order = np.argsort(-sure, kind="stable")
    return order[(first != second)[order]].tolist()


@dataclass(frozen=True)
class Turned:
    """Heads turned over one at a time, to bring an answer back to one of two.

    Attributes:
        heads: those turned over, the one that brings it furthest first.
        there: of each, whether the answer then is the wanted one: of two scores, the closer one.
        reach: of each, how far it comes: the wanted label's probability, or the share of the way between two scores.
        already: whether the answer is the wanted one before any is turned over.
    """

    heads: tuple[Head, ...]
    there: tuple[bool, ...]
    reach: tuple[float, ...]
    already: bool

    @property
    def found(self) -> tuple[Head, ...]:
        """Heads that alone bring it back."""
        return tuple(head for head, there in zip(self.heads, self.there, strict=True) if there)


def turned(task: Task, heads: Sequence[Head], logits: np.ndarray, wanted: np.ndarray, other: np.ndarray) -> Turned:
    """What single heads do to one answer.

    Args:
        task: whose labels the logits are of.
        heads: those turned over.
        logits: (1 + heads, labels), see `pruning.measure.single_heads.turned_over`.
        wanted: (labels,) logits of the answer to come to.
        other: (labels,) logits of the one to come from.
    """
    said, goal = predictions(task, logits), predictions(task, wanted[None])[0]
    if task.is_regression:
        way = abs(float(other[0]) - goal)
        reach = 1 - np.clip(np.abs(said - goal) / max(way, 1e-9), 0, 1)
        there = reach > 0.5
    else:
        reach, there = probabilities(logits)[:, int(goal)], said == goal
    order = np.argsort(-reach[1:], kind="stable")
    return Turned(
        heads=tuple(heads[place] for place in order),
        there=tuple(there[1:][order].tolist()),
        reach=tuple(reach[1:][order].tolist()),
        already=bool(there[0]),
    )


def turned_frame(shape: BertShape, one: Turned) -> pd.DataFrame:
    """A row a head of the uncut network.

    Returns:
        Columns layer and head (from 1), state ("there", "tried", "left"), reach (0 where it was not turned over).
    """
    places = list(np.ndindex(shape.layers, shape.heads))
    frame = pd.DataFrame(places, columns=["layer", "head"]) + 1
    tried = {head: (there, reach) for head, there, reach in zip(one.heads, one.there, one.reach, strict=True)}
    states = {True: "there", False: "tried"}
    frame["state"] = [states[tried[place][0]] if place in tried else "left" for place in places]
    frame["reach"] = [tried[place][1] if place in tried else 0.0 for place in places]
    return frame
