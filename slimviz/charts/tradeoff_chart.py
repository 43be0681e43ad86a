"""What networks score against what they cost: a line a method, Pareto's frontier as steps, published figures hollow."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import altair as alt

from slimviz.charts.scales import PADDING
from slimviz.frames.tidy import frame_of, records
from slimviz.theme import Palette, method_look

if TYPE_CHECKING:
    import pandas as pd

CLICK = "network_click"  # name of the selection that a click makes
HEIGHT = 340
PUBLISHED_SHAPE = ("diamond", "◇")
EDGE = 1.15  # how far a logarithmic axis goes on beyond the outermost networks, as a factor
SHARE_TICKS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
TEACHER = "circle", "●"
# Lines of smaller matrices are whole, so that the families differ without colours, too.
DASHES = alt.Scale(domain=["structural", "unstructured", "other"], range=[[1, 0], [6, 3], [2, 2]])


@dataclass(frozen=True)
class Frames:
    """What is drawn: see the functions of these names in `frames.axes`.

    Attributes:
        points: with a place on both axes, at least one.
        seeds: of points with several.
        published: figures of others.
        steps: names of the networks of each frontier, from the cheapest on.
    """

    points: pd.DataFrame
    seeds: pd.DataFrame
    published: pd.DataFrame
    steps: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Sides:
    """Words and marks along both axes.

    Attributes:
        x: words below.
        y: words beside.
        is_time: whether the lower axis is milliseconds; else it is a share.
        y_format: of the upright axis's ticks, as d3 writes it.
        most: the milliseconds budget; None where there is none.
        floor: the score of knowing nothing; None where the upright axis has none.
    """

    x: str
    y: str
    is_time: bool
    y_format: str
    most: float | None = None
    floor: float | None = None


def tradeoff_chart(
    frames: Frames, sides: Sides, chosen: Mapping[str, str], palette: Palette, *, has_legend: bool = False
) -> alt.LayerChart:
    """All networks of one task. A click on a point selects it, by its name.

    Args:
        frames: what is drawn.
        sides: both axes.
        chosen: letter of each network on the card, by its name.
        palette: the theme's colours.
        has_legend: whether methods are named below; a page has `tradeoff_legend`, which wraps.
    """
    points = _looking(frames.points, palette).assign(letter=[chosen.get(name, "") for name in frames.points["name"]])
    low, high = _reach([*_values(points, "x"), *_values(frames.published, "x")], sides.most)
    x = alt.X(
        "x:Q",
        title=sides.x,
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=_ticks(low, high, sides), format="~g" if sides.is_time else "~%", grid=False),
    )
    bottom, top = _span([score for frame in (points, frames.seeds, frames.published) for score in _values(frame, "y")])
    axis = alt.Axis(format=sides.y_format, tickCount=6, titleLimit=HEIGHT)
    y = alt.Y("y:Q", title=sides.y, scale=alt.Scale(domain=[bottom, top], nice=False), axis=axis)
    base = alt.Chart().encode(x=x, y=y)
    colour, shape = _look(points, has_legend=has_legend)
    layers: list[alt.Chart] = []
    if sides.most is not None:
        layers += _budget(sides.most, (low, high), x, palette)
    layers += _rules(points, sides, y, palette)
    for names in frames.steps:
        steps = points[points["name"].isin(list(names))]
        layers.append(
            base.properties(data=steps).mark_line(
                interpolate="step-after", color=palette.muted, strokeWidth=1, strokeDash=[2, 3], tooltip=False
            )
        )
    layers.append(
        base.transform_filter("!datum.is_teacher")
        .mark_line(strokeWidth=2, tooltip=False)
        .encode(
            color=colour,
            strokeDash=alt.StrokeDash("family:N", scale=DASHES, legend=None),
        )
    )
    if len(frames.published):
        layers.append(_published(base, frames.published, palette))
    if len(frames.seeds):
        seeds = base.properties(data=_looking(frames.seeds, palette))
        layers.append(
            seeds.mark_point(size=36, opacity=0.4, filled=True).encode(
                color=colour, shape=shape, tooltip=_tooltip("seed:N")
            )
        )
    layers.append(
        base.mark_point(size=110, filled=True, opacity=1, cursor="pointer")
        .encode(color=colour, shape=shape, tooltip=_tooltip("seeds:Q"))
        .add_params(alt.selection_point(name=CLICK, fields=["name"], toggle="true", clear=False))
    )
    lettered = base.transform_filter("datum.letter !== ''")
    layers.append(
        lettered.mark_point(size=260, shape="circle", color=palette.outline, strokeWidth=2, filled=False, tooltip=False)
    )
    layers.append(
        lettered.mark_text(dy=-17, fontSize=14, fontWeight="bold", color=palette.outline, tooltip=False).encode(
            text="letter:N"
        )
    )
    return alt.LayerChart(data=points, layer=layers).properties(height=HEIGHT, padding=PADDING)


def _values(frame: pd.DataFrame, column: str) -> list[float]:
    """A column's numbers; none of a frame without rows, which has no columns either."""
    return [row[column] for row in records(frame)]


def _looking(frame: pd.DataFrame, palette: Palette) -> pd.DataFrame:
    """With colour and shape."""
    looks = [
        (palette.teacher, TEACHER) if row["is_teacher"] else method_look(row["family"], row["place"], palette)
        for row in records(frame)
    ]
    return frame.assign(
        colour=[colour for colour, _ in looks],
        shape=[shape[0] for _, shape in looks],
    )


def _look(points: pd.DataFrame, *, has_legend: bool) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape by method."""
    titles = list(dict.fromkeys(points["title"]))
    looks = {row["title"]: (row["colour"], row["shape"]) for row in records(points)}
    legend = alt.Legend(orient="bottom", columns=4, title=None, labelLimit=0) if has_legend else None
    colours, shapes = zip(*(looks[title] for title in titles), strict=True)
    return (
        alt.Color("title:N", scale=alt.Scale(domain=titles, range=list(colours)), legend=legend),
        alt.Shape("title:N", scale=alt.Scale(domain=titles, range=list(shapes)), legend=legend),
    )


def _tooltip(seeds: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("title:N", title="method"),
        alt.Tooltip("budget:N"),
        alt.Tooltip("score:N"),
        alt.Tooltip("cost:N"),
        alt.Tooltip(seeds),
    ]


def _published(base: alt.Chart, published: pd.DataFrame, palette: Palette) -> alt.Chart:
    return (
        base.properties(data=published)
        .mark_point(size=60, filled=False, shape=PUBLISHED_SHAPE[0], color=palette.muted, strokeWidth=1.5)
        .encode(
            tooltip=[
                alt.Tooltip("title:N", title="published"),
                alt.Tooltip("score:N", title="share kept"),
                alt.Tooltip("cost:N", title="size"),
                alt.Tooltip("counts:N", title="counted"),
                alt.Tooltip("source:N"),
            ]
        )
    )


def _budget(most: float, reach: tuple[float, float], x: alt.X, palette: Palette) -> list[alt.Chart]:
    """What fits the milliseconds as a band, and a rule at its end; no rule where that is beyond the axis."""
    end = min(max(most, reach[0]), reach[1])
    frame = frame_of([{"x": reach[0], "end": end}])
    band = alt.Chart(frame).mark_rect(color=palette.fine, tooltip=False).encode(x=x, x2="end:Q")
    if end != most:
        return [band]
    rule = alt.Chart(frame).mark_rule(color=palette.text, strokeWidth=2, tooltip=False)
    return [band, rule.encode(x=alt.X("end:Q", title=x["title"], scale=x["scale"], axis=x["axis"]))]


def _rules(points: pd.DataFrame, sides: Sides, y: alt.Y, palette: Palette) -> list[alt.Chart]:
    """The teacher's score all along, and the floor where networks come near it."""
    bottom, top = y["scale"]["domain"]
    teachers = points.loc[points["is_teacher"], "y"].tolist()
    rules = [(teachers[0], "teacher", palette.teacher)] if teachers else []
    if sides.floor is not None and bottom <= sides.floor <= top:
        rules.append((sides.floor, "floor", palette.verdicts[2]))
    layers: list[alt.Chart] = []
    for value, word, colour in rules:
        base = alt.Chart(frame_of([{"y": value, "word": word}])).encode(y=y)
        layers.append(base.mark_rule(color=colour, strokeDash=[5, 4], tooltip=False))
        text = base.mark_text(align="left", baseline="bottom", dx=4, dy=-2, color=colour, tooltip=False)
        layers.append(text.encode(text="word:N", x=alt.XValue(0)))
    return layers


def _reach(costs: Iterable[float], most: float | None) -> tuple[float, float]:
    """Ends of the lower axis: all networks, and the budget where it is not far from them."""
    found = list(costs)
    low, high = min(found), max(found)
    if most is not None and low / 2 <= most <= high * 2:
        low, high = min(low, most), max(high, most)
    return low / EDGE, high * EDGE


def _span(scores: Sequence[float]) -> tuple[float, float]:
    """Ends of the upright axis, with room for letters above points."""
    low, high = min(scores), max(scores)
    room = 0.08 * (high - low) or 0.05
    return low - room, high + 1.5 * room


def _ticks(low: float, high: float, sides: Sides) -> list[float]:
    """Round numbers within the axis."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    if not sides.is_time and low > SHARE_TICKS[0] / 2:
        ticks = list(SHARE_TICKS)
    return [tick for tick in ticks if low <= tick <= high]


def tradeoff_legend(points: pd.DataFrame, palette: Palette, *, has_published: bool) -> str:
    """Methods with their marks, as HTML that wraps on a narrow page."""
    seen: dict[str, tuple[str, str, str]] = {}
    for row in records(_looking(points, palette)):
        glyph = TEACHER[1] if row["is_teacher"] else method_look(row["family"], row["place"], palette)[1][1]
        seen.setdefault(row["method"], (row["colour"], glyph, row["title"]))
    parts = [*seen.values(), (palette.muted, "┄", "best so far (Pareto)")]
    parts += [(palette.muted, PUBLISHED_SHAPE[1], "published, of BERT-base")] if has_published else []
    items = "".join(
        f'<span style="white-space:nowrap"><b style="color:{colour};font-size:1.1rem" aria-hidden="true">{glyph}</b> '
        f"{html.escape(title)}</span>"
        for colour, glyph, title in parts
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:0 1rem;font-size:.85rem;color:{palette.text}">{items}</div>'
