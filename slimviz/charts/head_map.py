"""Layer x head maps: tasks that keep a head, one task's importance, the difference of two, and a network to cut."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.charts.scales import AXIS_HEIGHT, PADDING, STRONG, Bounds, diverging_stops, importance_scale
from slimviz.theme import CUT_MARK, Palette

CLICK = "head_click"  # name of the selection that a click makes
GONE_MARK = "·"  # where a network has no head
THERE_MARK = "✓"  # on a head that alone changes the answer
STATES = {"on": "at work", "cut": "cut by you", "gone": "removed by slimming"}
ROW_HEIGHT = 22
ROWS = "heads"  # name of the data
Head = tuple[int, int]  # layer and head, from 1


def head_map(heads: pd.DataFrame, bounds: Bounds, chosen: Head | None, palette: Palette) -> Filled:
    """One study's heads: green above the cut-off, pink below it, "×" on what is cut. A click selects a head.

    Args:
        heads: columns layer, head, importance, shade, rank, heads, units, head_size, kept, fate (see
            `head_frame`), of one study.
        bounds: the common scale of all maps on the page.
        chosen: the head that is outlined.
        palette: the theme's colours.
    """
    frame = heads.assign(mark=["" if kept else CUT_MARK for kept in heads["kept"]])
    frame["side"] = [value / (bounds[1] if value > 0 else -bounds[0]) for value in frame["shade"]]
    frame["ranked"] = [f"{rank} of {total}" for rank, total in zip(frame["rank"], frame["heads"], strict=True)]
    frame["left"] = [f"{units} of {size}" for units, size in zip(frame["units"], frame["head_size"], strict=True)]
    return Filled(_written_heads(bounds, _layers(frame), palette), _outlined(frame, chosen))


@lru_cache(maxsize=MOST_WRITTEN)
def _written_heads(bounds: Bounds, layers: int, palette: Palette) -> Written:
    tooltip = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("head:O"),
        alt.Tooltip("fate:N"),
        alt.Tooltip("importance:Q", format=".3g"),
        alt.Tooltip("ranked:N", title="rank"),
        alt.Tooltip("left:N", title="units kept"),
    ]
    colour = alt.Color("shade:Q", legend=None, scale=importance_scale(bounds, palette))
    return _map(colour, tooltip, layers, palette)


def dna_map(dna: pd.DataFrame, chosen: Head | None, palette: Palette) -> Filled:
    """By how many tasks each head is kept: the number in the cell, the darker the more.

    Args:
        dna: columns layer, head, share, mark, kept_by, titles (see `dna_frame`).
        chosen: the head that is outlined.
        palette: the theme's colours.
    """
    return Filled(_written_dna(_layers(dna), palette), _outlined(dna.assign(side=dna["share"]), chosen))


@lru_cache(maxsize=MOST_WRITTEN)
def _written_dna(layers: int, palette: Palette) -> Written:
    tooltip = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("head:O"),
        alt.Tooltip("kept_by:N", title="kept by"),
        alt.Tooltip("titles:N", title="tasks"),
    ]
    return _map(alt.Color("share:Q", legend=None, scale=_from_0_to_1(palette.share)), tooltip, layers, palette)


def difference_map(heads: pd.DataFrame, titles: tuple[str, str], chosen: Head | None, palette: Palette) -> Filled:
    """Purple where a head matters more to the first study, orange where more to the second.

    Cells carry a letter where only one of the two keeps the head, "×" where neither does.

    Args:
        heads: columns layer, head, difference, first, second, first_fate, second_fate, mark (see
            `difference_frame`).
        titles: names of the two studies.
        chosen: the head that is outlined.
        palette: the theme's colours.
    """
    reach = max(0.3, max((abs(value) for value in heads["difference"]), default=0.0))
    frame = heads.assign(side=heads["difference"] / reach)
    return Filled(_written_difference(reach, titles, _layers(frame), palette), _outlined(frame, chosen))


@lru_cache(maxsize=MOST_WRITTEN)
def _written_difference(reach: float, titles: tuple[str, str], layers: int, palette: Palette) -> Written:
    stops = diverging_stops((-reach, reach), palette.difference)
    colour = alt.Color(
        "difference:Q",
        legend=None,
        scale=alt.Scale(domain=stops, range=list(palette.difference), clamp=True, interpolate="rgb"),
    )
    tooltip = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("head:O"),
        alt.Tooltip("first:Q", format=".3g", title=f"A: {titles[0]}"),
        alt.Tooltip("first_fate:N", title="A"),
        alt.Tooltip("second:Q", format=".3g", title=f"B: {titles[1]}"),
        alt.Tooltip("second_fate:N", title="B"),
        alt.Tooltip("difference:Q", format="+.2f", title="A minus B"),
    ]
    return _map(colour, tooltip, layers, palette)


def surgery_map(heads: pd.DataFrame, bounds: Bounds, palette: Palette) -> Filled:
    """One network's heads to cut and restore by clicks: "×" on what the visitor cut, "·" where slimming left none.

    Args:
        heads: columns layer, head, shade, state, rank (see `surgery_frame`).
        bounds: of the shades.
        palette: the theme's colours.
    """
    marks = {"on": "", "cut": CUT_MARK, "gone": GONE_MARK}
    frame = heads.assign(mark=[marks[state] for state in heads["state"]])
    frame["words"] = [STATES[state] for state in heads["state"]]
    on = heads["state"] == "on"
    frame["side"] = [value / (bounds[1] if value > 0 else -bounds[0]) for value in heads["shade"].where(on, 0.0)]
    return Filled(_written_surgery(bounds, _layers(frame), palette), _outlined(frame, None))


@lru_cache(maxsize=MOST_WRITTEN)
def _written_surgery(bounds: Bounds, layers: int, palette: Palette) -> Written:
    colour = alt.Color(
        "shade:Q",
        legend=None,
        scale=importance_scale(bounds, palette),
        condition={"test": "datum.state != 'on'", "value": palette.surface},
    )
    tooltip = [
        alt.Tooltip("layer:O"),
        alt.Tooltip("head:O"),
        alt.Tooltip("words:N", title="here"),
        alt.Tooltip("rank:N"),
    ]
    return _map(colour, tooltip, layers, palette)


def turned_map(heads: pd.DataFrame, palette: Palette) -> Filled:
    """How far each head alone, turned over, brings an answer to another one: "✓" where it gets there.

    Args:
        heads: columns layer, head, state, reach (see `turned_frame`).
        palette: the theme's colours.
    """
    marks = {"there": THERE_MARK, "tried": "", "left": GONE_MARK}
    frame = heads.assign(mark=[marks[state] for state in heads["state"]], side=heads["reach"])
    return Filled(_written_turned(_layers(frame), palette), _outlined(frame, None))


@lru_cache(maxsize=MOST_WRITTEN)
def _written_turned(layers: int, palette: Palette) -> Written:
    colour = alt.Color(
        "reach:Q",
        legend=None,
        scale=_from_0_to_1(palette.similarity),
        condition={"test": "datum.state == 'left'", "value": palette.surface},
    )
    tooltip = [alt.Tooltip("layer:O"), alt.Tooltip("head:O"), alt.Tooltip("reach:Q", format=".1%", title="comes")]
    return _map(colour, tooltip, layers, palette)


def _from_0_to_1(colours: Sequence[str]) -> alt.Scale:
    stops = [index / (len(colours) - 1) for index in range(len(colours))]
    return alt.Scale(domain=stops, range=list(colours), clamp=True, interpolate="rgb")


def _layers(frame: pd.DataFrame) -> int:
    return len(set(frame["layer"]))


def _outlined(frame: pd.DataFrame, chosen: Head | None) -> dict[str, pd.DataFrame]:
    """The rows that `_map` draws."""
    return {ROWS: frame.assign(chosen=[head == chosen for head in zip(frame["layer"], frame["head"], strict=True)])}


def _map(colour: Any, tooltip: list[alt.Tooltip], layers: int, palette: Palette) -> Written:
    """What all maps share, written down; see `Filled`."""
    axis = {"ticks": False, "domain": False, "labelOverlap": "parity", "labelFlush": False}
    base = alt.Chart().encode(
        x=alt.X("head:O", title="head", axis=alt.Axis(labelAngle=0, **axis)),
        y=alt.Y("layer:O", title="layer", axis=alt.Axis(**axis)),
        tooltip=tooltip,
    )
    cells = (
        base.mark_rect(stroke=palette.background, strokeWidth=1, cursor="pointer")
        .encode(color=colour)
        .add_params(alt.selection_point(name=CLICK, fields=["layer", "head"], toggle="true", clear=False))
    )
    strong = f"abs(datum.side) > {STRONG}"
    marks = base.mark_text(fontSize=13, cursor="pointer").encode(
        text="mark:N",
        color=alt.ColorValue(palette.mark, condition={"test": strong, "value": palette.mark_on_strong}),
    )
    outline = (
        base.transform_filter("datum.chosen")
        .mark_rect(fillOpacity=0, stroke=palette.outline, strokeWidth=3, cursor="pointer")
        .encode()
    )
    chart = alt.LayerChart(data=alt.NamedData(ROWS), layer=[cells, marks, outline])
    return written(chart.properties(height=ROW_HEIGHT * layers + AXIS_HEIGHT, padding=PADDING))
