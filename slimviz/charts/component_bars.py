"""What each component costs, slim in front of teacher."""

from __future__ import annotations

import altair as alt
import pandas as pd

from slimviz.charts.scales import AXIS_HEIGHT, PADDING
from slimviz.theme import Palette, is_known

ROW_HEIGHT = 30
ROOM = 1.75  # of the longest bar: behind it stand the numbers


def component_bars(costs: pd.DataFrame, unit: str, palette: Palette) -> alt.LayerChart:
    """A bar a component: the slim network's cost in front of the teacher's, both in numbers at the right.

    Args:
        costs: columns title, teacher, slim (either may be None throughout), label.
        unit: title of the axis.
        palette: the theme's colours.
    """
    values = {name: [value for value in costs[name].tolist() if is_known(value)] for name in ("teacher", "slim")}
    found = [name for name, known in values.items() if known]
    longest = float(max(value for name in found for value in values[name])) or 1.0
    titles = list(costs["title"])
    width = max(map(len, titles))
    y = alt.Y("title:N", sort=titles, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=6 * width + 20))
    scale = alt.Scale(domain=[0, ROOM * longest], nice=False)
    axis = alt.Axis(format="~s", values=[0.0, longest / 2, longest], labelFlush=True)
    tooltip = [alt.Tooltip("title:N", title="component"), alt.Tooltip("label:N", title="slim of teacher")]
    base = alt.Chart().encode(y=y, tooltip=tooltip)
    layers = []
    for name, colour, opacity in (("teacher", palette.teacher, 0.25), ("slim", palette.slim, 1.0)):
        if name in found:
            bar = base.mark_bar(color=colour, fillOpacity=opacity, height={"band": 0.7})
            layers.append(bar.encode(x=alt.X(f"{name}:Q", title=unit, scale=scale, axis=axis)))
    text = base.mark_text(align="right", fontSize=12, color=palette.text)
    layers.append(text.encode(x=alt.XDatum(ROOM * longest, scale=scale), text="label:N"))
    return alt.LayerChart(data=costs, layer=layers).properties(
        height=ROW_HEIGHT * len(titles) + AXIS_HEIGHT, padding=PADDING
    )
