"""Charts on a page."""

from __future__ import annotations

from typing import Any

import altair as alt
import streamlit as st

from slimviz.charts.filled import Drawable, Filled, written


def draw_chart(chart: Drawable | alt.Chart, **settings: Any) -> None:
    """`st.altair_chart`, but for a chart that is known to be one.

    At every run Streamlit has altair compare all of a chart with Vega-Lite's schema, which takes longer than to write
    the chart; tests do that once. It also changes altair's settings for the whole process meanwhile, so that a chart
    which another visitor downloads at that moment may be one without data.

    Args:
        chart: with a size of its own or of its place.
        settings: of `st.vega_lite_chart`.
    """
    description = chart.with_frames() if isinstance(chart, Filled) else dict(written(chart))
    st.vega_lite_chart(description, **settings)
