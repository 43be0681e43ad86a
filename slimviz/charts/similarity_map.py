"""How alike tasks are: study x study."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import pandas as pd

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.charts.scales import PADDING
from slimviz.theme import Palette

ROW_HEIGHT = 36
PAIRS = "pairs"  # name of the data
AXIS_HEIGHT = 30
SLANTED_AXIS_HEIGHT = 100
MOST_LEVEL_LETTERS = 45  # with longer titles in all, those below the map are slanted


def similarity_map(pairs: pd.DataFrame, palette: Palette) -> Filled:
    """Square map in clustered order, the value written in each cell.

    Args:
        pairs: columns first_title, second_title, value, order_first (see `similarity_frame`), of one
            measure; values from -1 to 1, drawn from 0 (or the least value below it) to 1.
        palette: the theme's colours.
    """
    order = list(dict.fromkeys(pairs.sort_values("order_first")["first_title"]))
    lowest = min(0.0, *pairs["value"])
    frame = pairs.assign(
        label=[f"{value:.2f}" for value in pairs["value"]],
        strong=(pairs["value"] - lowest) / (1 - lowest) > 0.55,
    )
    return Filled(_written(tuple(order), lowest, palette), {PAIRS: frame})


@lru_cache(maxsize=MOST_WRITTEN)
def _written(order: tuple[str, ...], lowest: float, palette: Palette) -> Written:
    """The map of these titles, its colours from the lowest value to 1."""
    colours, titles = list(palette.similarity), list(order)
    stops = [lowest + (1 - lowest) * index / (len(colours) - 1) for index in range(len(colours))]
    axis = {
        "ticks": False,
        "domain": False,
        "labelLimit": 130,
        "labelOverlap": False,
        "labelFlush": False,
        "title": None,
    }
    slanted = len(order) * max(len(title) for title in order) > MOST_LEVEL_LETTERS
    base = alt.Chart().encode(
        x=alt.X("second_title:N", sort=titles, axis=alt.Axis(labelAngle=-45 if slanted else 0, **axis)),
        y=alt.Y("first_title:N", sort=titles, axis=alt.Axis(**axis)),
        tooltip=[
            alt.Tooltip("first_title:N", title="of"),
            alt.Tooltip("second_title:N", title="and"),
            alt.Tooltip("value:Q", format=".3f"),
        ],
    )
    cells = base.mark_rect(stroke=palette.background, strokeWidth=2).encode(
        color=alt.Color(
            "value:Q", legend=None, scale=alt.Scale(domain=stops, range=colours, clamp=True, interpolate="rgb")
        )
    )
    strong = alt.ColorValue(palette.mark, condition={"test": "datum.strong", "value": palette.mark_on_strong})
    text = base.mark_text(fontSize=12).encode(text="label:N", color=strong)
    axis_height = SLANTED_AXIS_HEIGHT if slanted else AXIS_HEIGHT
    chart = alt.LayerChart(data=alt.NamedData(PAIRS), layer=[cells, text])
    return written(chart.properties(height=ROW_HEIGHT * len(order) + axis_height, padding=PADDING))
