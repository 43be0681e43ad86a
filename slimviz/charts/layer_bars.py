"""Remaining units by layer, slim against teacher."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import pandas as pd

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.charts.scales import PADDING
from slimviz.theme import Palette

HEIGHT = 270
LAYERS = "layers"  # name of the data
CLICK = "layer_click"  # name of the selection that a click makes


def layer_bars(layers: pd.DataFrame, chosen: int, palette: Palette) -> Filled:
    """One bar a layer: the share of its units that is left, in front of the teacher's (all of them).

    A click on a bar selects its layer.

    Args:
        layers: columns layer, kept, total, share, counts, parameters, flops, heads, cutoffs (see `layer_frame`).
        chosen: the layer that is outlined, from 1.
        palette: the theme's colours.
    """
    frame = layers.assign(teacher=1.0, label=[f"{share:.0%}" for share in layers["share"]])
    frame["chosen"] = frame["layer"] == chosen
    return Filled(_written(len(frame) <= 12, palette), {LAYERS: frame})


@lru_cache(maxsize=MOST_WRITTEN)
def _written(few: bool, palette: Palette) -> Written:
    """The chart of few layers, or of many."""
    base = alt.Chart().encode(
        x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0, ticks=False)),
        tooltip=[
            alt.Tooltip("layer:O"),
            alt.Tooltip("counts:N", title="units kept"),
            alt.Tooltip("heads:N", title="heads kept"),
            alt.Tooltip("parameters:N", title="parameters"),
            alt.Tooltip("flops:N", title="FLOPs at 32 tokens"),
            alt.Tooltip("cutoffs:N", title="cut-off"),
        ],
    )
    scale = alt.Scale(domain=[0, 1], nice=False)
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], labelFlush=False)
    teacher = (
        base.mark_bar(color=palette.teacher, fillOpacity=0.25, cursor="pointer")
        .encode(
            y=alt.Y("teacher:Q", title="units left", scale=scale, axis=axis),
            stroke=alt.StrokeValue(None, condition={"test": "datum.chosen", "value": palette.outline}),
            strokeWidth=alt.StrokeWidthValue(0, condition={"test": "datum.chosen", "value": 2}),
        )
        .add_params(alt.selection_point(name=CLICK, fields=["layer"], toggle="true", clear=False))
    )
    slim = base.mark_bar(color=palette.slim, cursor="pointer").encode(y=alt.Y("share:Q", scale=scale))
    text = base.mark_text(dy=-8, fontSize=12 if few else 9, color=palette.text).encode(
        y=alt.Y("share:Q", scale=scale), text="label:N"
    )
    chart = alt.LayerChart(data=alt.NamedData(LAYERS), layer=[teacher, slim, text])
    return written(chart.properties(height=HEIGHT, padding=PADDING))
