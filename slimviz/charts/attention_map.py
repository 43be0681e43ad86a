"""What one head looks at in a text: piece by piece."""

from __future__ import annotations

import altair as alt
import pandas as pd

from slimviz.charts.scales import KEYED_TEXT, PADDING
from slimviz.theme import Palette

ROW_HEIGHT = 22
AXIS_HEIGHT = 90  # of slanted pieces above the map, and the legend below it
MOST_WRITTEN = 12  # pieces up to which the share is written in each cell
PIECE_WIDTH = 80  # pixels of a label


def attention_map(looks: pd.DataFrame, most: float, palette: Palette) -> alt.LayerChart:
    """A row a piece that looks, a column a piece that it looks at.

    Args:
        looks: of `look_frame`.
        most: the share that has the strongest colour, the same in maps side by side.
        palette: the theme's colours.
    """
    labels = {
        "labelExpr": KEYED_TEXT,
        "labelLimit": PIECE_WIDTH,
        "labelOverlap": False,
        "labelFlush": False,
        "ticks": False,
        "domain": False,
    }
    count = len(set(looks["looking"]))
    angle = -60 if count <= MOST_WRITTEN else -90  # more would overlap on a phone
    colours = list(palette.similarity)
    stops = [most * number / (len(colours) - 1) for number in range(len(colours))]
    frame = looks.assign(is_strong=looks["share"] > 0.55 * most)
    base = alt.Chart().encode(
        x=alt.X("looked_at:N", title=None, axis=alt.Axis(orient="top", labelAngle=angle, **labels)),
        y=alt.Y("looking:N", title=None, axis=alt.Axis(**labels)),
        description="told:N",
        tooltip=[
            alt.Tooltip("from:N", title="piece"),
            alt.Tooltip("to:N", title="looks at"),
            alt.Tooltip("share:Q", format=".1%", title="share of its attention"),
        ],
    )
    legend = alt.Legend(orient="bottom", format=".0%", title="share of a piece's attention", gradientLength=140)
    scale = alt.Scale(domain=stops, range=colours, clamp=True, interpolate="rgb")
    layers = [base.mark_rect(stroke=palette.background).encode(color=alt.Color("share:Q", legend=legend, scale=scale))]
    if count <= MOST_WRITTEN:
        strong = alt.ColorValue(palette.mark, condition={"test": "datum.is_strong", "value": palette.mark_on_strong})
        layers.append(base.mark_text(fontSize=11).encode(text="label:N", color=strong))
    return alt.LayerChart(data=frame, layer=layers).properties(height=ROW_HEIGHT * count + AXIS_HEIGHT, padding=PADDING)
