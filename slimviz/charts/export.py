"""A chart as a file of its own: PNG, SVG, or HTML that needs no network. vl-convert draws it; no browser is asked."""

from __future__ import annotations

import io

import altair as alt

from slimviz.charts.filled import Drawable, Filled
from slimviz.theme import Palette

WIDTH = 760  # pixels
PNG_SCALE = 2  # pixels of the file for one of the drawing


def standing_alone(chart: Drawable, title: str, palette: Palette) -> alt.LayerChart:
    """The chart with its title, width and colours, which on a page Streamlit gives it."""
    return (
        (chart.in_altair() if isinstance(chart, Filled) else chart)
        .properties(width=WIDTH, background=palette.background, padding=12)
        .properties(title=alt.TitleParams(title, color=palette.text, anchor="start", fontSize=14, limit=WIDTH))
        .configure_axis(labelColor=palette.muted, titleColor=palette.muted, gridColor=palette.grid)
        .configure_legend(labelColor=palette.text, titleColor=palette.text)
        .configure_header(labelColor=palette.text, titleColor=palette.text)
        .configure_view(stroke=None)
    )


def to_svg(chart: alt.LayerChart) -> str:
    """An SVG document."""
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue()


def to_png(chart: alt.LayerChart) -> bytes:
    """A PNG file, `PNG_SCALE` pixels for one of the drawing."""
    content = io.BytesIO()
    chart.save(content, format="png", scale_factor=PNG_SCALE)
    return content.getvalue()


def to_html(chart: alt.LayerChart) -> str:
    """A page that holds the chart, its data and what draws them, with hover."""
    return chart.to_html(inline=True)
