"""What a chart of trade-offs can show along its sides, and the tidy frames that it draws (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruning.data.task import Task
from pruning.published import COUNTS_IN_WORDS, Counts, Published
from slimviz.frames.measured import Point
from slimviz.frames.tidy import frame_of
from slimviz.theme import (
    amount_text,
    budget_title,
    bytes_text,
    kept_text,
    metric_text,
    milliseconds_text,
    percent_text,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Axis:
    """What networks cost.

    Attributes:
        name: in the URL, and of the costs of `frames.measured`.
        title: in a list to choose from.
        words: below the chart.
        noun: behind a cost in a sentence: "5.0% of the parameters".
        amount: how the thing itself is printed; None for milliseconds, which are no share of anything.
        counts: which published sizes count the same; of the encoder alone or of all.
        batch: texts that were timed together; None for what is counted.
    """

    name: str
    title: str
    words: str
    noun: str = ""
    amount: Callable[[float | None], str] | None = None
    counts: tuple[Counts, ...] = ()
    batch: int | None = None

    def text(self, value: float | None) -> str:
        """A cost as printed."""
        return milliseconds_text(value) if self.batch else percent_text(value)

    def phrase(self, value: float | None) -> str:
        """The same inside a sentence."""
        return f"{self.text(value)} {self.noun}".strip()

    def published_size(self, row: Published) -> float | None:
        """Where a published network lies on this axis; None where its size counts something else."""
        if row.counts not in self.counts:
            return None
        return row.encoder if self.name == "encoder" else row.total


PARAMETERS: tuple[Counts, ...] = ("stored", "nonzero")
AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "parameters",
            "Parameters",
            "parameters, % of the dense network's",
            "of the parameters",
            amount_text,
            PARAMETERS,
        ),
        Axis(
            "encoder",
            "Encoder parameters",
            "encoder parameters, % of the dense network's",
            "of the encoder's parameters",
            amount_text,
            PARAMETERS,
        ),
        Axis(
            "bytes",
            "Bytes",
            "bytes, % of the dense network's",
            "of the bytes",
            bytes_text,
            ("bytes",),
        ),
        Axis("flops", "FLOPs", "FLOPs, % of the dense network's", "of the FLOPs", amount_text),
        Axis("ms-1", "Milliseconds, one text", "milliseconds measured, one text", batch=1),
        Axis("ms-32", "Milliseconds, batch 32", "milliseconds measured, a batch of 32 texts", batch=32),
    )
}
AXES_HELP = (
    "Parameters and bytes: what is stored. Of networks with zeros, parameters are those that are not zero, and bytes "
    "include what says where they belong. FLOPs: what a dense kernel executes, zeros included. Milliseconds: of the "
    "fastest kernel, at 32 tokens where that was timed."
)
MEASURES = {"metric": "Metric", "kept": "Share kept", "above": "Share kept above floor"}


def measures(task: Task) -> list[str]:
    """What can stand on the upright axis; without labels, agreement is a share of the teacher's already."""
    return list(MEASURES) if task.is_labelled else ["metric"]


def measure_title(task: Task, measure: str) -> str:
    """Words beside the upright axis."""
    metric = task.metric_title()
    return {"metric": metric, "kept": f"{metric}, % of the dense network's"}.get(
        measure, f"{metric} above floor, % of the teacher's"
    )


def score_text(task: Task, measure: str, value: float | None) -> str:
    """A score, or a share of the teacher's, as printed."""
    return metric_text(task.main_metric, value) if measure == "metric" else kept_text(value)


def drawable(points: Iterable[Point], axis: Axis, measure: str) -> list[Point]:
    """Those that have both, and a place on a logarithmic axis."""
    return [point for point in points if (point.cost(axis.name) or 0) > 0 and point.score(measure) is not None]


def frontier(places: Iterable[tuple[str, float, float]]) -> list[str]:
    """Names of what nothing beats that costs as little: Pareto's frontier, from the cheapest on.

    Args:
        places: name, cost, score.
    """
    best, found = float("-inf"), []
    for name, _, score in sorted(places, key=lambda place: (place[1], -place[2])):
        if score > best:
            best = score
            found.append(name)
    return found


def frontiers(points: Sequence[Point], axis: Axis, measure: str) -> dict[str | None, list[Point]]:
    """Each machine's frontier where milliseconds are compared, else one of all; points that are `drawable`."""
    groups: dict[str | None, list[Point]] = {}
    for point in points:
        groups.setdefault(point.machine if axis.batch else None, []).append(point)
    found = {}
    for machine, group in groups.items():
        names = frontier((point.name, *place(point, axis, measure)) for point in group)
        found[machine] = [next(point for point in group if point.name == name) for name in names]
    return found


def place(point: Point, axis: Axis, measure: str) -> tuple[float, float]:
    """Cost and score of a point that is `drawable`."""
    cost, score = point.cost(axis.name), point.score(measure)
    if cost is None or score is None:
        raise KeyError(f"{point.name} has no {axis.name} or no {measure}")
    return cost, score


def best_within(points: Sequence[Point], axis: Axis, measure: str, most: float) -> Point | None:
    """The best network that costs so much at most, the cheapest of equals; None where none does."""
    within = [point for point in points if place(point, axis, measure)[0] <= most]
    return max(
        within, key=lambda point: (place(point, axis, measure)[1], -place(point, axis, measure)[0]), default=None
    )


def point_frame(points: Sequence[Point], axis: Axis, measure: str, task: Task) -> pd.DataFrame:
    """A row a point that is `drawable`: the mean over its seeds."""
    return frame_of(
        {
            **_row(point, axis, measure, task, *place(point, axis, measure)),
            "seeds": len(point.networks),
            "machine": point.machine if axis.batch else None,
        }
        for point in points
    )


def seed_frame(points: Sequence[Point], axis: Axis, measure: str, task: Task) -> pd.DataFrame:
    """A row a network of a point with several seeds; where one was not timed alone, at the others' time."""
    rows = []
    for point in points:
        for network in point.networks if len(point.networks) > 1 else ():
            cost, score = network.costs.get(axis.name) or point.cost(axis.name), network.scores.get(measure)
            if cost and score is not None:
                rows.append({**_row(point, axis, measure, task, cost, score), "seed": network.seed or 0})
    return frame_of(rows)


def _row(point: Point, axis: Axis, measure: str, task: Task, cost: float, score: float) -> dict[str, Any]:
    method, budget = point.method, point.first.budget
    return {
        "name": point.name,
        "method": method.key,
        "title": method.title,
        "family": method.family,
        "place": method.place,
        "is_teacher": method.is_teacher,
        "budget": budget_title(budget) if budget else "whole",
        "x": cost,
        "y": score,
        "cost": axis.text(cost),
        "score": score_text(task, measure, score),
    }


def published_of(rows: Iterable[Published], task: Task) -> list[Published]:
    """What was published for a task of GLUE."""
    return [row for row in rows if row.dataset == task.name]


def published_frame(rows: Iterable[Published], axis: Axis, measure: str, task: Task) -> pd.DataFrame:
    """A row a published network that counts what the axis counts, by the share of its dense network's score it kept.

    Nothing where the upright axis is another: scores of other teachers do not compare.
    """
    found = []
    for row in rows if measure == "kept" else ():
        size, kept = axis.published_size(row), row.retention
        if size is not None and kept is not None and row.metric == task.main_metric:
            found.append(
                {
                    "x": size,
                    "y": kept,
                    "title": row.method,
                    "cost": axis.text(size),
                    "score": kept_text(kept),
                    "counts": COUNTS_IN_WORDS[row.counts],
                    "source": row.source,
                }
            )
    return frame_of(found)
