"""Task DNA: how many of the tasks shown keep each head, and which heads one task alone keeps."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from slimviz import sentences, theme
from slimviz.charts.head_map import Head, dna_map
from slimviz.frames.dna import SHOWN, dna_frame
from slimviz.theme import Palette
from slimviz.widgets import parameters
from slimviz.widgets.downloads import Downloads

KEY = "dna"


def show_task_dna(
    heads: pd.DataFrame, outlined: Head | None, pick: Callable[[str], None], downloads: Downloads, palette: Palette
) -> None:
    """One map for all tasks; which heads it shows is in the URL as `kept`.

    Args:
        heads: of several studies, see `head_frame`.
        outlined: layer and head, from 1.
        pick: called with the chart's key where a head was clicked.
        downloads: of the page.
        palette: the theme's colours.
    """
    shown = parameters.choose(
        st.segmented_control,
        "Heads in colour",
        "kept",
        list(SHOWN),
        what="share of tasks",
        format_func=SHOWN.__getitem__,
        label_visibility="collapsed",
    )
    dna = dna_frame(heads, shown)
    words = sentences.dna_sentence(dna)
    downloads.draw(
        "By how many tasks each head is kept",
        dna_map(dna, outlined, palette),
        dna,
        width="stretch",
        key=KEY,
        on_select=lambda: pick(KEY),
        alt=f"By how many tasks each head is kept. {words}",
    )
    st.caption(
        f"A cell's number: how many of the tasks shown keep the head; {theme.CUT_MARK}: none. {theme.plain(words)}"
    )
