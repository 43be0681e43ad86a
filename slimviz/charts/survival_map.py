"""Mini map: surviving share per layer and site."""

from __future__ import annotations

import altair as alt
import pandas as pd

from slimviz.charts.scales import AXIS_HEIGHT, PADDING
from slimviz.theme import CUT_MARK, Palette

ROW_HEIGHT = 22
MOST_LABELLED_LAYERS = 12  # with more layers than this, cells are too narrow for numbers


def survival_map(survival: pd.DataFrame, palette: Palette) -> alt.LayerChart:
    """Layer x site, greener where more units survive; "×" where none does.

    Args:
        survival: columns layer, title, kept, total, share, counts (see `survival_frame`); rows without a
            layer (the residual width) are left out.
        palette: the theme's colours.
    """
    frame = survival.dropna(subset=["layer"]).copy()
    frame["layer"] = frame["layer"].astype(int)
    sites = list(dict.fromkeys(frame["title"]))
    layers = max(frame["layer"], default=1)
    few = layers <= MOST_LABELLED_LAYERS
    numbers = [_percent(share) if few else "" for share in frame["share"]]
    frame["number"] = [CUT_MARK if kept == 0 else number for kept, number in zip(frame["kept"], numbers, strict=True)]
    base = alt.Chart().encode(
        x=alt.X(
            "layer:O",
            title="layer (numbers: % of units left)" if few else "layer",
            axis=alt.Axis(labelAngle=0, orient="bottom", ticks=False, domain=False),
        ),
        y=alt.Y(
            "title:N",
            title=None,
            sort=sites,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=130, labelOverlap=False, labelFlush=False),
        ),
        tooltip=[
            alt.Tooltip("title:N", title="site"),
            alt.Tooltip("layer:O"),
            alt.Tooltip("counts:N", title="units kept"),
            alt.Tooltip("share:Q", format=".1%", title="surviving share"),
        ],
    )
    cells = base.mark_rect(stroke=palette.grid, strokeWidth=1).encode(
        color=alt.Color(
            "share:Q",
            legend=None,
            scale=alt.Scale(domain=_stops(palette), range=list(palette.share), interpolate="rgb"),
        )
    )
    strong = alt.condition("datum.share > 0.55", alt.value(palette.mark_on_strong), alt.value(palette.mark))
    text = base.mark_text(fontSize=10, tooltip=False).encode(text="number:N", color=strong)
    return alt.LayerChart(data=frame, layer=[cells, text]).properties(
        height=ROW_HEIGHT * len(sites) + AXIS_HEIGHT, padding=PADDING
    )


def _percent(share: float) -> str:
    return "<1" if 0 < share < 0.005 else f"{100 * share:.0f}"


def _stops(palette: Palette) -> list[float]:
    return [index / (len(palette.share) - 1) for index in range(len(palette.share))]
