"""What each word adds to an answer, or takes from it."""

from __future__ import annotations

from collections.abc import Iterable

import altair as alt
import pandas as pd

from slimviz.charts.scales import AXIS_HEIGHT, KEYED_MARK, KEYED_TEXT, PADDING
from slimviz.frames.attributions import TITLE
from slimviz.theme import Palette, is_known

ROW_HEIGHT = 24
ROOM = 1.6  # of the longest bar: behind it stand the numbers
LEAST_BOUND = 0.05  # a scale never spans less, so that next to nothing looks like that
WORD_WIDTH = 110  # pixels


def word_bounds(values: Iterable[float | None]) -> float:
    """How far from 0 the scale of all charts that share it reaches."""
    return max([LEAST_BOUND, *(abs(value) for value in values if is_known(value))])


def word_bars(words: pd.DataFrame, bound: float, unit: str, palette: Palette) -> alt.LayerChart:
    """A bar a word, to the right where it speaks for the answer; a diamond for what leaving the word out says.

    Args:
        words: rows of one network, or of the difference of two (see `attribution_frame`).
        bound: of `word_bounds`.
        unit: title of the axis.
        palette: the theme's colours.
    """
    is_title = {"test": f"{KEYED_MARK} == '{TITLE}'", "value": "bold"}
    labels = {
        "labelExpr": KEYED_TEXT,
        "labelLimit": WORD_WIDTH,
        "labelOverlap": False,
        "labelFlush": False,
        "labelFontWeight": {"condition": is_title, "value": "normal"},
    }
    scale = alt.Scale(domain=[-ROOM * bound, ROOM * bound], nice=False)
    number = "datum.value == 0 ? '0' : format(datum.value, '+.2~f')"
    axis = alt.Axis(values=[-bound, 0.0, bound], labelExpr=number, labelFlush=False)
    base = alt.Chart().encode(
        y=alt.Y("row:N", sort="ascending", title=None, axis=alt.Axis(ticks=False, domain=False, **labels)),
        description="told:N",
        tooltip=[
            alt.Tooltip("word:N"),
            alt.Tooltip("label:N", title="integrated gradients"),
            alt.Tooltip("left_out_label:N", title="left out"),
            alt.Tooltip("pieces:N", title="read as"),
        ],
    )
    supports = {"test": "datum.integrated >= 0", "value": palette.supports}
    colour = alt.ColorValue(palette.opposes, condition=supports)
    bars = base.mark_bar(height={"band": 0.6}).encode(
        x=alt.X("integrated:Q", title=unit, scale=scale, axis=axis), color=colour
    )
    zero = alt.Chart().mark_rule(color=palette.muted, tooltip=False).encode(x=alt.XDatum(0.0, scale=scale))
    points = base.mark_point(shape="diamond", size=50, filled=False, strokeWidth=1.5, color=palette.text, opacity=1)
    points = points.encode(x=alt.X("left_out:Q", scale=scale))
    text = base.mark_text(align="right", fontSize=12, color=palette.text)
    text = text.encode(x=alt.XDatum(ROOM * bound, scale=scale), text="label:N")
    return alt.LayerChart(data=words, layer=[zero, bars, points, text]).properties(
        height=ROW_HEIGHT * len(words) + AXIS_HEIGHT, padding=PADDING
    )
