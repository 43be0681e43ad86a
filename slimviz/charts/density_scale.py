"""The density slider's places, and what they mean: stored budgets with their scores as ticks below it (HTML)."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

from pruning.study import Study
from pruning.variants import TEACHER
from slimviz.frames.budgets import budgets
from slimviz.theme import Palette, budget_title, metric_text

LINES = 2  # on which words stand in turns, so that neighbours do not run into each other
LINE_HEIGHT = 0.95  # rem


def density_options(lowest: float, also: Mapping[str, float]) -> list[str]:
    """Steps of the slider, evenly spaced on a logarithmic scale, with certain densities among them exactly.

    Args:
        lowest: percent.
        also: options that must be there: stored budgets and what was typed, each with its percent.
    """
    steps = 120
    spaced = [lowest * (100 / lowest) ** (step / steps) for step in range(steps + 1)]
    rounded = {float(f"{value:.2g}" if value < 10 else f"{value:.3g}") for value in spaced}
    values = {value for value in rounded if lowest <= value <= 100} | {lowest, 100.0}
    places = {f"{value:g}": value for value in values} | dict(also)
    return sorted(places, key=lambda text: places[text])


def round_up(percent: float) -> float:
    """Two significant digits, never below the true bound."""
    digits = 1 - math.floor(math.log10(percent))
    return float(f"{math.ceil(percent * 10**digits) / 10**digits:.6g}")


def density_marks(options: Sequence[str], study: Study) -> dict[int, str]:
    """Words by the slider's place: the smallest density, stored budgets with their scores, the teacher.

    Args:
        options: of the slider.
        study: whose budgets and scores they are.
    """
    metric, teacher = study.task.main_metric, study.result(TEACHER)
    marks = {0: f"smallest: {options[0]}%"}
    if teacher is not None and study.task.is_labelled:
        marks[len(options) - 1] = f"teacher: {metric_text(metric, teacher.metrics[metric])}"
    for budget in budgets(study):
        result = study.result(study.final(budget))
        score = metric_text(metric, result.metrics[metric]) if result else "no score"
        marks[options.index(budget)] = f"{budget_title(budget)}: {score}"
    return dict(sorted(marks.items()))


def density_scale(options: Sequence[str], study: Study, palette: Palette) -> str:
    """`density_marks` as ticks below the slider, whose options stand at equal distances."""
    last, ticks = max(1, len(options) - 1), ""
    for number, (place, words) in enumerate(density_marks(options, study).items()):
        side = {0: "left:0", last: "right:0"}.get(place, "left:50%;transform:translateX(-50%)")
        top = 0.3 + LINE_HEIGHT * (number % LINES)
        ticks += (
            f'<span style="position:absolute;left:{100 * place / last:.2f}%;top:0;height:.3rem;'
            f'border-left:1px solid {palette.muted}">'
            f'<span style="position:absolute;top:{top:.2f}rem;{side};white-space:nowrap">{html.escape(words)}</span>'
            "</span>"
        )
    height = 0.4 + LINE_HEIGHT * LINES
    return (
        f'<div style="position:relative;height:{height:.2f}rem;margin:-1.3rem .4rem 0;font-size:.75rem;'
        f'color:{palette.muted}">{ticks}</div>'
    )
