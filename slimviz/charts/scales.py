"""Colour scales that charts share: importance around a cut-off, and the legend that goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd
from altair.utils import schemapi

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.theme import Palette

# Altair would validate every part of a chart as it is made, and the whole again when it is drawn. The second time is
# enough, and a slider that redraws four charts feels the first.
schemapi.disable_debug_mode()

MOST_DECADES = 3.0  # further from the cut-off, colours change no more
LEAST_DECADES = 0.3  # a scale never spans less, so that near ties look like near ties
STRONG = 0.6  # beyond this share of a side, a cell is dark (light theme) or bright (dark theme)

# Streamlit fits axes into the height that a chart asks for, and would keep 20 pixels below them.
PADDING = {"left": 2, "right": 2, "top": 4, "bottom": 2}
AXIS_HEIGHT = 54  # of an axis with its title
KEYED_TEXT = "slice(datum.value, 5)"  # a label's text, where values are keys of `frames.tidy.row_key`
KEYED_MARK = "slice(datum.value, 4, 5)"

BAND, MIDDLE = "band", "middle"  # names of the legend's data

Bounds = tuple[float, float]


def importance_bounds(relative: Iterable[float]) -> Bounds:
    """Ends of an importance scale, in decades below and above the cut-off, for all maps that share it."""
    values = np.asarray(list(relative), dtype=float)
    values = values[np.isfinite(values)]
    lowest, highest = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    return float(np.clip(lowest, -MOST_DECADES, -LEAST_DECADES)), float(np.clip(highest, LEAST_DECADES, MOST_DECADES))


def diverging_stops(bounds: Bounds, colours: Sequence[str]) -> list[float]:
    """Where each colour of a diverging scale lies, the middle one at 0."""
    half = len(colours) // 2
    return [*np.linspace(bounds[0], 0, half + 1).tolist(), *np.linspace(0, bounds[1], half + 1).tolist()[1:]]


def importance_scale(bounds: Bounds, palette: Palette) -> alt.Scale:
    """Pink below the cut-off, green above it."""
    stops = diverging_stops(bounds, palette.importance)
    return alt.Scale(type="linear", domain=stops, range=list(palette.importance), clamp=True, interpolate="rgb")


def plotly_importance_scale(bounds: Bounds, palette: Palette) -> list[tuple[float, str]]:
    """The same for Plotly, which wants stops between 0 and 1."""
    span = bounds[1] - bounds[0]
    stops = [(stop - bounds[0]) / span for stop in diverging_stops(bounds, palette.importance)]
    return list(zip(stops, palette.importance, strict=True))


def decade_ticks(bounds: Bounds) -> list[tuple[float, str]]:
    """Places and words for a legend: "÷100", "cut-off", "×10"."""
    ticks = [(0.0, "cut-off")]
    for place in (0.3, 1.0, 2.0, 3.0):
        near_end = place == 0.3 and max(-bounds[0], bounds[1]) > 1.5
        if near_end:
            continue
        factor = f"{10**place:.0f}"
        ticks += [(place, f"×{factor}")] if place <= bounds[1] + 0.01 else []
        ticks += [(-place, f"÷{factor}")] if place <= -bounds[0] + 0.01 else []
    return sorted(ticks)


RANK_BOUNDS: Bounds = (-1.0, 1.0)
RANK_TICKS = [(-1.0, "least important"), (0.0, "cut-off"), (1.0, "most important")]


def importance_legend(bounds: Bounds, palette: Palette, ticks: Sequence[tuple[float, str]] | None = None) -> Filled:
    """A narrow band that explains the colours of importance; `ticks` are those of decades by default."""
    edges = np.linspace(bounds[0], bounds[1], 61)
    band = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "relative": (edges[:-1] + edges[1:]) / 2})
    ticks = decade_ticks(bounds) if ticks is None else ticks
    return Filled(_written_legend(bounds, palette, tuple(ticks)), {BAND: band, MIDDLE: pd.DataFrame({"at": [0.0]})})


@lru_cache(maxsize=MOST_WRITTEN)
def _written_legend(bounds: Bounds, palette: Palette, ticks: tuple[tuple[float, str], ...]) -> Written:
    words = " : ".join(f"abs(datum.value - {place}) < 0.001 ? '{word}'" for place, word in ticks)
    axis = alt.Axis(
        values=[place for place, _ in ticks],
        labelExpr=f"{words} : ''",
        title=None,
        grid=False,
        domain=False,
        labelOverlap=True,
        labelFlush=True,
    )
    scale = alt.Scale(domain=list(bounds), nice=False, zero=False)
    colours = importance_scale(bounds, palette)
    gradient = (
        alt.Chart(alt.NamedData(BAND))
        .mark_rect(tooltip=False)
        .encode(
            x=alt.X("start:Q", axis=axis, scale=scale),
            x2="end:Q",
            color=alt.Color("relative:Q", scale=colours, legend=None),
            stroke=alt.Stroke("relative:Q", scale=colours, legend=None),  # closes the seams between steps
        )
    )
    middle = alt.Chart(alt.NamedData(MIDDLE)).mark_rule(color=palette.mark, size=1.5).encode(x="at:Q")
    return written(alt.LayerChart(layer=[gradient, middle]).properties(height=44, padding=PADDING))
