"""Every unit of one layer as a strip of colour, one strip a site, with a dark line under what is cut."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slimviz.charts.scales import Bounds, plotly_importance_scale
from slimviz.frames.tidy import count_of
from slimviz.theme import Palette

ROW_UNITS = 512  # units a row: a wider site is wrapped, so that one unit stays wide enough to point at
ROW_HEIGHT = 26
GAP = 44  # pixels between strips, for their titles
LINE_SHARE = 0.2  # of a row's height, for the line under cut units


def row_length(widths: list[int]) -> int:
    """Units a row, common to all strips: the narrowest site's width where that divides the others, at most 512."""
    narrowest = min(widths)
    length = narrowest if narrowest <= ROW_UNITS and all(width % narrowest == 0 for width in widths) else ROW_UNITS
    return max(1, length)


def unit_strip(units: pd.DataFrame, bounds: Bounds, palette: Palette, *, in_order: bool) -> go.Figure:
    """Strips of all units of a layer, green above the cut-off, pink below it, underlined where cut.

    Args:
        units: columns site, title, place, unit, head, importance, shade, kept (see `unit_frame`).
        bounds: ends of the colour scale.
        palette: the theme's colours.
        in_order: whether units lie as in the matrices (otherwise the most important first); for the axis title.
    """
    groups = [group for _, group in units.groupby("site", sort=False)]
    length = row_length([len(group) for group in groups])
    rows = [-(-len(group) // length) for group in groups]
    height = sum(rows) * ROW_HEIGHT + len(rows) * GAP + 30
    figure = go.Figure()
    top = height - 4
    for index, (group, count) in enumerate(zip(groups, rows, strict=True)):
        number = "" if index == 0 else str(index + 1)
        upper = top - GAP + 10
        lower = upper - count * ROW_HEIGHT
        _add_strip(figure, group, count, length, number, bounds, palette)
        last = index == len(groups) - 1
        figure.layout[f"yaxis{number}"] = {
            "domain": [lower / height, upper / height],
            "range": [count, 0],
            "visible": False,
            "fixedrange": True,
        }
        figure.layout[f"xaxis{number}"] = {
            "anchor": f"y{number}",
            "range": [0, length],
            "showgrid": False,
            "zeroline": False,
            "showticklabels": last,
            "ticks": "outside" if last else "",
            "matches": "x" if index else None,
        }
        kept, total = count_of(group, "kept"), len(group)
        figure.add_annotation(
            x=0, xref="paper", y=upper / height, yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
            text=f"<b>{group['title'].iloc[0]}</b>  {kept:,} of {total:,} kept", font={"size": 13},
        )  # fmt: skip
        top = lower
    order = "unit, as in the matrices" if in_order else "units, most important first"
    wrapped = f" (rows of {length:,})" if max(rows, default=1) > 1 else ""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 0, "b": 36},
        showlegend=False,
        plot_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        hovermode="closest",
    )
    if groups:
        number = "" if len(groups) == 1 else str(len(groups))
        figure.layout[f"xaxis{number}"].title = {"text": order + wrapped}
    return figure


def _add_strip(
    figure: go.Figure, group: pd.DataFrame, rows: int, length: int, number: str, bounds: Bounds, palette: Palette
) -> None:
    """Two heat maps on one pair of axes: colours over the whole of each row, the cut line on its lower edge."""
    padding = np.full(rows * length - len(group), np.nan)
    shades = np.append(np.clip(group["shade"].to_numpy(), *bounds), padding)
    cut = np.append(np.where(group["kept"], np.nan, 1.0), padding).reshape(rows, length)
    columns = (group[name].tolist() for name in ("unit", "head", "importance", "kept"))
    words = np.array([*map(_hover, *columns), *[""] * len(padding)], dtype=object)
    lines = np.full((2 * rows, length), np.nan)
    lines[1::2] = cut
    axes = {"xaxis": f"x{number}", "yaxis": f"y{number}", "x0": 0.5, "dx": 1, "showscale": False}
    figure.add_heatmap(
        z=shades.reshape(rows, length).astype(np.float32),
        y=np.arange(rows + 1),
        zmin=bounds[0],
        zmax=bounds[1],
        colorscale=plotly_importance_scale(bounds, palette),
        text=words.reshape(rows, length),
        hoverinfo="text",
        name=group["title"].iloc[0],
        **axes,
    )
    figure.add_heatmap(
        z=lines.astype(np.float32),
        y=np.sort([*range(rows + 1), *(row + 1 - LINE_SHARE for row in range(rows))]),
        zmin=0,
        zmax=1,
        colorscale=[(0, palette.mark), (1, palette.mark)],
        hoverinfo="skip",
        name="cut",
        **axes,
    )


def _hover(unit: int, head: int, importance: float, kept: bool) -> str:
    place = f"head {head}, unit {unit}" if head else f"unit {unit}"
    return f"{place}<br>importance {importance:.3g}<br>{'kept' if kept else 'cut'}"
