"""One row a task: slim minus teacher with its interval, the teacher as zero line, and what can be said of it.

HTML with a button a row: a click, Enter or Space opens a task (`widgets/task_rows.py` listens). No library is needed
for Overview's first screen, and a keyboard reaches every row.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from slimviz.frames.results import Summary
from slimviz.frames.verdicts import Verdict, interval_points, verdict
from slimviz.theme import UNKNOWN, Palette, budget_title, margin_text, percent_text, points_text, score_text, span_text

FARTHEST = 25.0  # points: what lies beyond is drawn at the edge
STEPS = (1, 2, 5, 10)  # points between ticks
MOST_TICKS = 7
SHAPES = {
    Verdict.FINE: "●",
    Verdict.LOST: "▼",
    Verdict.UNSURE: "?",
    Verdict.WEAK: "–",
    Verdict.UNLABELLED: "≈",
    Verdict.MISSING: "",
}


@dataclass(frozen=True)
class Axis:
    """Points from which to which all rows are drawn, and where ticks stand."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, points: float) -> float:
        """Where a difference lies, in percent of the width; what is beyond lies at the edge."""
        return 100 * (min(max(points, self.low), self.high) - self.low) / (self.high - self.low)


def axis_of(rows: Sequence[Summary], margin: float) -> Axis:
    """An axis that holds the margin, all intervals and all seeds, up to `FARTHEST` points."""
    found = [-margin, 1.0]
    for row in rows:
        found += interval_points(row) or ()
        found += [100 * seed for seed in row.seeds]
    low, high = max(-FARTHEST, min(found)), min(FARTHEST, max(found))
    step = next((step for step in STEPS if (high - low) / step <= MOST_TICKS), STEPS[-1])
    edge = 0.04 * (high - low)
    low, high = low - edge, high + edge
    first = math.ceil(low / step)
    return Axis(low, high, tuple(float(step * number) for number in range(first, math.floor(high / step) + 1)))


def task_rows(rows: Sequence[Summary], chosen: str, margin: float, palette: Palette) -> str:
    """All rows and the axis below them.

    Args:
        rows: a study each, at one budget.
        chosen: key of the study that is open.
        margin: the loss that would still be fine, in points.
        palette: the theme's colours.
    """
    axis = axis_of(rows, margin)
    good, unsure, bad = palette.verdicts
    colours = {
        "text": palette.text, "muted": palette.muted, "grid": palette.grid, "slim": palette.slim,
        "teacher": palette.teacher, "fine": palette.fine, "surface": palette.surface, "outline": palette.outline,
        "good": good, "unsure": unsure, "bad": bad,
    }  # fmt: skip
    style = ";".join(f"--{name}:{colour}" for name, colour in colours.items())
    body = "".join(_row(row, row.key == chosen, margin, axis) for row in rows)
    return f'<div class="rows" style="{style}">{body}{_axis(axis)}</div>'


def verdict_words(row: Summary, margin: float) -> str:
    """A row's verdict in words."""
    return {
        Verdict.FINE: f"no loss beyond {margin:g}",
        Verdict.LOST: "lost",
        Verdict.UNSURE: "can't tell",
        Verdict.WEAK: "teacher not above floor",
        Verdict.UNLABELLED: "no labels: agreement",
        Verdict.MISSING: f"no result at {budget_title(row.budget)}",
    }[verdict(row, margin)]


def row_words(row: Summary, margin: float) -> str:
    """A row for those who cannot see it."""
    ends = "" if row.interval is None else (
        f" {points_text(row.interval.difference)} points, 95% interval "
        f"{span_text(row.interval.low, row.interval.high)}."
    )  # fmt: skip
    teacher, slim = _score(row, row.teacher.score), _score(row, row.slim.score)
    return (
        f"{row.title}, {row.metric}: teacher {teacher}, slim {slim}.{ends} {verdict_words(row, margin).capitalize()}."
    )


def _score(row: Summary, score: float | None) -> str:
    return score_text(score) if row.is_labelled or row.is_regression else percent_text(score)


def _row(row: Summary, is_chosen: bool, margin: float, axis: Axis) -> str:
    kind = verdict(row, margin)
    teacher = f"{_score(row, row.teacher.score)} → " if row.is_labelled else ""
    scores = f"{teacher}<b>{_score(row, row.slim.score)}</b>" if row.slim.score is not None else UNKNOWN
    title, metric = html.escape(row.title), html.escape(row.metric)
    return (
        f'<button type="button" class="row {kind}" data-study="{html.escape(row.key, quote=True)}" '
        f'aria-pressed="{str(is_chosen).lower()}" aria-label="{html.escape(row_words(row, margin), quote=True)}">'
        f'<span class="name" title="{title}"><b>{title}</b><small>{metric}</small></span>'
        f'<span class="scores">{scores}</span>'
        f'<span class="plot">{_marks(row, margin, axis)}</span>'
        f'<span class="verdict"><i>{SHAPES[kind]}</i> {html.escape(verdict_words(row, margin))}</span></button>'
    )


def _marks(row: Summary, margin: float, axis: Axis) -> str:
    """What is drawn in one row, back to front."""
    left, zero = axis.place(-margin), axis.place(0)
    marks = [f'<i class="band" style="left:{left:.2f}%;width:{zero - left:.2f}%"></i>']
    marks += [_line("tick", tick, axis) for tick in axis.ticks if tick]
    marks.append(_line("zero", 0, axis))
    if row.slim.score is None or row.interval is None:
        return "".join(marks)
    marks += [_floor(row, axis)]
    marks += [_line("seed", 100 * seed, axis) for seed in row.seeds]
    ends = interval_points(row)
    if ends is not None:
        low, high = map(axis.place, ends)
        marks.append(f'<i class="span" style="left:{low:.2f}%;width:{high - low:.2f}%"></i>')
    marks.append(_line("dot", 100 * row.interval.difference, axis))
    return "".join(marks)


def _floor(row: Summary, axis: Axis) -> str:
    """What knowing nothing scores, as a tick; an arrow at the edge where that is further away."""
    if not row.is_labelled or row.teacher.score is None:
        return ""
    points = 100 * (row.floor - row.teacher.score)
    title = f"floor: {score_text(row.floor)}, {margin_text(round(-points, 1))} below the teacher"
    if points < axis.low:
        return f'<i class="beyond" title="{title}">‹</i>'
    return f'<i class="floor" title="{title}" style="left:{axis.place(points):.2f}%"></i>'


def _line(name: str, points: float, axis: Axis) -> str:
    return f'<i class="{name}" style="left:{axis.place(points):.2f}%"></i>'


def _axis(axis: Axis) -> str:
    labels = "".join(
        f'<i style="left:{axis.place(tick):.2f}%">{"teacher" if not tick else f"{tick:+g}".replace("-", "−")}</i>'
        for tick in axis.ticks
    )
    return (
        f'<div class="row axis" aria-hidden="true"><span></span><span></span><span class="plot">{labels}</span></div>'
    )


STYLE = """
.rows {font-size: .875rem; color: var(--text); line-height: 1.15}
.row {display: grid; grid-template-columns: 6.6rem 7rem minmax(6rem, 1fr) 10.4rem; align-items: stretch;
  box-sizing: border-box; width: 100%;
  min-height: 2.15rem; padding: 0 .4rem; border: 0; border-left: 3px solid transparent; background: none;
  color: inherit; font: inherit; text-align: left}
button.row {cursor: pointer}
button.row:hover {background: var(--surface)}
button.row[aria-pressed=true] {background: var(--surface); border-left-color: var(--outline)}
button.row:focus-visible {outline: 2px solid var(--outline); outline-offset: -2px}
.row > span {display: flex; align-items: center; min-width: 0}
.name {flex-direction: column; justify-content: center; align-items: flex-start !important; overflow: hidden}
.name b, .name small {max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap}
.name small, .scores, .axis {color: var(--muted); font-variant-numeric: tabular-nums}
.scores b {color: var(--text); font-weight: 600}
.scores {white-space: pre}
.verdict {padding-left: .6rem; gap: .4rem; color: var(--muted)}
.verdict i {font-style: normal; width: 1rem; text-align: center; flex: none}
.fine .verdict {color: var(--good)} .lost .verdict {color: var(--bad)} .unsure .verdict {color: var(--unsure)}
.plot {position: relative}
.plot i {position: absolute; top: 0; bottom: 0; font-style: normal}
.band {background: var(--fine)}
.tick {border-left: 1px solid var(--grid)}
.zero {border-left: 2px solid var(--text); margin-left: -1px}
.plot .span {top: 50%; bottom: auto; height: 3px; margin-top: -1.5px; background: var(--slim)}
.plot .dot, .plot .seed {top: 50%; bottom: auto; width: 10px; height: 10px; margin: -5px; border-radius: 50%;
  background: var(--slim)}
.plot .seed {width: 8px; height: 8px; margin: -10px -4px; opacity: .45}
.plot .floor {top: 18%; bottom: 18%; border-left: 3px double var(--bad)}
.plot .beyond {left: 0; top: 50%; bottom: auto; transform: translateY(-55%); color: var(--bad); font-size: 1rem}
.weak .dot, .weak .span, .weak .seed, .unlabelled .dot, .unlabelled .span {background: var(--teacher)}
.axis {min-height: 1.3rem}
.axis i {transform: translateX(-50%); white-space: nowrap; font-size: .75rem; padding-top: .2rem}
@media (max-width: 640px) {
  .row {grid-template-columns: 1fr auto; padding: .3rem .2rem;
    grid-template-areas: "name scores" "plot plot" "verdict verdict"}
  .name {grid-area: name} .scores {grid-area: scores} .plot {grid-area: plot; height: 1.7rem}
  .verdict {grid-area: verdict; padding: 0}
  .axis span:not(.plot) {display: none}
}
"""
