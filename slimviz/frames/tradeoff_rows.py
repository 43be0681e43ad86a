"""Networks of one task as rows of text: two of them beside each other, all of them, and published ones (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from pruning.data.task import Task
from pruning.published import COUNTS_IN_WORDS, Published
from slimviz import theme
from slimviz.frames.axes import AXES, MEASURES, Axis, measure_title, measures, score_text
from slimviz.frames.measured import Point
from slimviz.theme import UNKNOWN, percent_text, points_text, span_text, times_text


def difference_rows(first: Point, second: Point, task: Task) -> list[dict[str, str]]:
    """Two networks beside each other, a row a thing, and what the second has of the first."""
    rows = []
    for measure in measures(task):
        one, other = first.score(measure), second.score(measure)
        is_metric = measure == "metric"
        title = task.metric_title() if is_metric else MEASURES[measure]
        texts = (score_text(task, measure, value) for value in (one, other))
        rows.append((title, *texts, _points(one, other) if is_metric else ""))
    spans = [point.first.interval for point in (first, second)]
    if any(spans):
        texts = (span_text(span.low, span.high) if span else UNKNOWN for span in spans)
        rows.append(("Minus teacher, points, 95%", *texts, ""))
    for axis in AXES.values():
        one, other = first.cost(axis.name), second.cost(axis.name)
        if one is None and other is None:
            continue
        is_alike = not axis.batch or first.machine == second.machine or None in (one, other)
        beside = _ratio(one, other) if is_alike else "another machine"
        rows.append((axis.title, _cost(first, axis), _cost(second, axis), beside))
    return [dict(zip(("", "A", "B", "B against A"), row, strict=True)) for row in rows]


def _cost(point: Point, axis: Axis) -> str:
    amount = point.first.amounts.get(axis.name)
    text = axis.text(point.cost(axis.name))
    return text if amount is None or axis.amount is None else f"{axis.amount(amount)} ({text})"


def _points(first: float | None, second: float | None) -> str:
    return UNKNOWN if first is None or second is None else f"{points_text(second - first)} points"


def _ratio(first: float | None, second: float | None) -> str:
    if not first or second is None:
        return UNKNOWN
    return percent_text(second / first) if second <= first else times_text(second / first)


def network_rows(points: Iterable[Point], task: Task) -> list[dict[str, str | float | None]]:
    """A row a network, seeds apart."""
    return [
        {
            "Method": point.method.title,
            "Kind": theme.FAMILY_TITLES[point.method.family],
            "Budget": theme.budget_title(network.budget) if network.budget else "whole",
            "Seed": network.seed,
            **{measure_title(task, name): score_text(task, name, network.scores[name]) for name in measures(task)},
            **{axis.title: axis.text(network.costs[axis.name]) for axis in AXES.values()},
            "Timed on": network.machine or "",
            "Steps of training": network.steps,
            "Minutes of its own": None if network.minutes is None else round(network.minutes, 1),
        }
        for point in points
        for network in point.networks
    ]


def published_rows(rows: Iterable[Published]) -> list[dict[str, str]]:
    """A row a published figure, with its source and what it counts."""
    return [
        {
            "Method": row.method,
            "Kind": row.group,
            "Metric": row.metric or "not named",
            "Split": row.split.replace("_", " "),
            "Score": theme.score_text(row.score),
            "Dense network": theme.score_text(row.dense),
            "Share kept": theme.kept_text(row.retention),
            "Size": percent_text(row.total),
            "Size of the encoder": percent_text(row.encoder),
            "Counted": COUNTS_IN_WORDS[row.counts],
            "Speed, as published": row.speed,
            "Note": row.note,
            "Source": row.source,
        }
        for row in rows
    ]
