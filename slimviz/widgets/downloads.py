"""Every chart of a page as PNG, SVG and HTML, and its data as CSV; made only once somebody asks for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from slimviz import theme
from slimviz.charts import export
from slimviz.charts.filled import Drawable
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.chart import draw_chart


@dataclass(frozen=True)
class _Drawn:
    chart: Callable[[], Drawable]
    data: pd.DataFrame


class Downloads:
    """The charts that a page has drawn so far.

    Args:
        page: its name, as files are called by it.
    """

    def __init__(self, page: str) -> None:
        self._page = page
        self._drawn: dict[str, _Drawn] = {}

    def draw(
        self,
        title: str,
        chart: Drawable,
        data: pd.DataFrame,
        *,
        for_files: Callable[[], Drawable] | None = None,
        **settings: Any,
    ) -> None:
        """Draw a chart on the page, and remember it.

        Args:
            title: what it shows, in a few words; no two on a page have the same.
            chart: the chart.
            data: the rows that it draws.
            for_files: makes the chart as files hold it, where they need what the page says beside it.
            settings: of `st.vega_lite_chart`.
        """
        draw_chart(chart, **settings)
        self._drawn[title] = _Drawn(for_files or (lambda: chart), data)

    def offer(self) -> None:
        """A choice of the charts drawn, and a button a format."""
        if not self._drawn:
            return
        with st.expander("Download a chart or its data"):
            titles = list(self._drawn)
            title = st.selectbox(
                "Chart", titles, key=f"download-of-{self._page}", label_visibility="collapsed"
            )  # not in the URL: no state of the page
            drawn = self._drawn[title]
            name = f"slimviz-{self._page}-{_file_name(title)}"
            palette = current_palette()

            def made(how: Callable[[alt.LayerChart], str | bytes]) -> Callable[[], str | bytes]:
                return lambda: how(export.standing_alone(drawn.chart(), title, palette))

            formats: dict[str, tuple[str, Callable[[], str | bytes]]] = {
                "PNG": ("image/png", made(export.to_png)),
                "SVG": ("image/svg+xml", made(export.to_svg)),
                "HTML": ("text/html", made(export.to_html)),
                "CSV": ("text/csv", lambda: drawn.data.to_csv(index=False)),
            }
            with st.container(horizontal=True, gap="small"):
                for kind, (mime, content) in formats.items():
                    st.download_button(
                        kind,
                        content,
                        f"{name}.{kind.lower()}",
                        mime,
                        key=f"download-{self._page}-{kind}",
                        on_click="ignore",
                        help=f"{theme.plain(title)} as {kind}",
                    )


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
