"""Does the map tell the truth? Score against heads gated off, in a criterion's order and in others."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import pandas as pd

from slimviz.charts.filled import MOST_WRITTEN, Filled, Written, written
from slimviz.charts.scales import PADDING
from slimviz.frames.ablation import LEAST, MOST, OTHERS, RANDOM
from slimviz.theme import Palette

HEIGHT = 360  # pixels
CURVES, BAND, GROUND = "curves", "band", "ground"  # names of the data


def ablation_curves(curves: pd.DataFrame, band: pd.DataFrame, floor: float, metric: str, palette: Palette) -> Filled:
    """The shown criterion's two curves strong, other criteria thin, random orders as a band, the floor as a rule.

    Args:
        curves: columns line, criterion, gated, score (see `curve_frame`).
        band: columns gated, low, high (see `band_frame`); may be empty.
        floor: what knowing nothing scores.
        metric: as printed, the axis' title.
        palette: the theme's colours.
    """
    lines = [LEAST, MOST, OTHERS, RANDOM] if len(band) else [LEAST, MOST, OTHERS]
    lines = [line for line in lines if line == RANDOM or line in set(curves["line"])]
    ground = pd.DataFrame({"score": [floor], "words": ["floor: knows nothing"]})
    shaded = {BAND: band.assign(line=RANDOM)} if len(band) else {}
    return Filled(_written(tuple(lines), metric, palette), {CURVES: curves, GROUND: ground, **shaded})


@lru_cache(maxsize=MOST_WRITTEN)
def _written(lines: tuple[str, ...], metric: str, palette: Palette) -> Written:
    """The chart of these lines, the random band among them where it is there."""
    colours = {LEAST: palette.supports, MOST: palette.opposes, OTHERS: palette.muted, RANDOM: palette.grid}
    scale = alt.Scale(domain=list(lines), range=[colours[line] for line in lines])
    legend = alt.Legend(title=None, orient="top", columns=1, labelLimit=260, symbolType="stroke", symbolStrokeWidth=4)
    colour = alt.Color("line:N", scale=scale, legend=legend)
    x = alt.X("gated:Q", title="heads off", scale=alt.Scale(nice=False), axis=alt.Axis(tickMinStep=1))
    y = alt.Y("score:Q", title=metric, scale=alt.Scale(zero=False))
    tooltip = [
        alt.Tooltip("criterion:N"),
        alt.Tooltip("line:N", title="order"),
        alt.Tooltip("gated:Q", title="heads off"),
        alt.Tooltip("score:Q", format=".3f", title=metric),
    ]
    base = alt.Chart(alt.NamedData(CURVES)).encode(x=x, y=y, color=colour, tooltip=tooltip)
    others = base.transform_filter(alt.datum.line == OTHERS).mark_line(strokeWidth=1.2, opacity=0.7)
    strong = base.transform_filter(alt.datum.line != OTHERS)
    drawn = strong.mark_line(strokeWidth=2.5).encode(
        detail="criterion:N",
        strokeDash=alt.StrokeDashValue([1, 0], condition={"test": alt.datum.line == MOST, "value": [6, 4]}),
    )
    points = strong.mark_point(filled=True, size=55, opacity=1).encode(
        shape=alt.Shape("line:N", scale=alt.Scale(domain=[LEAST, MOST], range=["circle", "triangle-down"]), legend=None)
    )
    layers: list[alt.Chart] = [others.encode(detail="criterion:N"), drawn, points]
    if RANDOM in lines:
        shaded = alt.Chart(alt.NamedData(BAND)).mark_area(opacity=0.75)
        layers.insert(0, shaded.encode(x=x, y=alt.Y("low:Q", title=metric), y2="high:Q", color=colour))
    ground = alt.NamedData(GROUND)
    rule = alt.Chart(ground).mark_rule(color=palette.text, strokeDash=[2, 3], tooltip=False).encode(y="score:Q")
    words = alt.Chart(ground).mark_text(align="left", baseline="bottom", dx=4, dy=-3, color=palette.text, tooltip=False)
    layers += [rule, words.encode(y="score:Q", x=alt.XValue(0), text="words:N")]
    return written(alt.LayerChart(layer=layers).properties(height=HEIGHT, padding=PADDING))
