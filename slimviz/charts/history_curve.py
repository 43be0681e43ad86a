"""One measure of a stage of training over its steps."""

from __future__ import annotations

import altair as alt
import pandas as pd

from slimviz.charts.scales import PADDING
from slimviz.theme import Palette

HEIGHT = 150


def history_curve(curve: pd.DataFrame, last_step: float, palette: Palette) -> alt.LayerChart:
    """A line through what was reported, a dot each where there are few.

    Args:
        curve: of one measure: columns step, value, text, measure, title (see `frames.history.curve_frame`).
        last_step: right end of the axis, common to all charts of the stage.
        palette: the theme's colours.
    """
    title = str(curve["title"].iloc[0])
    axis = alt.Axis(tickCount=4, format="%") if curve["measure"].iloc[0] == "alive" else alt.Axis(tickCount=4)
    base = alt.Chart().encode(
        x=alt.X("step:Q", title="step", scale=alt.Scale(domain=[0, last_step], nice=False), axis=alt.Axis(tickCount=4)),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=axis),
        tooltip=[alt.Tooltip("step:Q", format=","), alt.Tooltip("text:N", title=title)],
    )
    few = len(curve) <= 12
    line = base.mark_line(color=palette.slim, strokeWidth=1.5)
    dots = base.mark_point(color=palette.slim, filled=True, size=30 if few else 60, opacity=1 if few else 0)
    return alt.LayerChart(data=curve, layer=[line, dots]).properties(height=HEIGHT, padding=PADDING)
