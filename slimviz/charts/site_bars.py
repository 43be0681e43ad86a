"""Removed units by sub-layer, with every layer as a dot."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import pandas as pd

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.charts.scales import AXIS_HEIGHT, PADDING
from slimviz.theme import Palette

ROW_HEIGHT = 44
SITES, DOTS = "sites", "dots"  # names of the data


def site_bars(sites: pd.DataFrame, survival: pd.DataFrame, palette: Palette) -> Filled:
    """One bar a site: the share of its units that was removed, over all layers; a dot for each layer.

    Args:
        sites: columns title, removed, kept, total, counts, cutoff (see `site_frame`).
        survival: columns title, layer, share, counts (see `survival_frame`).
        palette: the theme's colours.
    """
    frame = sites.assign(label=[f"{removed:.0%}" for removed in sites["removed"]])
    dots = survival.dropna(subset=["layer"]).assign(removed=lambda rows: 1 - rows["share"])
    dots["layer"] = dots["layer"].astype(int)
    return Filled(_written(tuple(frame["title"]), palette), {SITES: frame, DOTS: dots})


@lru_cache(maxsize=MOST_WRITTEN)
def _written(titles: tuple[str, ...], palette: Palette) -> Written:
    """The chart of these sites."""
    order = list(titles)
    axis = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("removed:Q", title="units removed", scale=alt.Scale(domain=[0, 1.2], nice=False), axis=axis)
    y = alt.Y(
        "title:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=130, labelFlush=False)
    )
    bars = (
        alt.Chart(alt.NamedData(SITES))
        .mark_bar(color=palette.slim, opacity=0.55, height={"band": 0.6})
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("title:N", title="site"),
                alt.Tooltip("counts:N", title="units kept"),
                alt.Tooltip("removed:Q", format=".1%", title="removed"),
                alt.Tooltip("cutoff:Q", format=".3g", title="cut-off (least unit kept)"),
            ],
        )
    )
    points = (
        alt.Chart(alt.NamedData(DOTS))
        .mark_point(size=36, filled=True, color=palette.text, opacity=0.7)
        .encode(
            x=x,
            y=y,
            tooltip=[
                alt.Tooltip("title:N", title="site"),
                alt.Tooltip("layer:O"),
                alt.Tooltip("counts:N", title="units kept"),
                alt.Tooltip("removed:Q", format=".1%", title="removed"),
            ],
        )
    )
    text = alt.Chart(alt.NamedData(SITES)).mark_text(align="right", fontSize=13, color=palette.text, tooltip=False)
    text = text.encode(x=alt.XDatum(1.2), y=y, text="label:N")
    chart = alt.LayerChart(layer=[bars, points, text])
    return written(chart.properties(height=ROW_HEIGHT * len(order) + AXIS_HEIGHT, padding=PADDING))
