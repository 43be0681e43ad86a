"""Tasks against each other: the difference of two on one map, and how alike all of them are."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from slimviz import sentences, theme
from slimviz.charts.head_map import Head, difference_map
from slimviz.charts.similarity_map import similarity_map
from slimviz.frames.heads import difference_frame, similarity_frame
from slimviz.frames.tidy import only
from slimviz.theme import Palette
from slimviz.widgets import parameters
from slimviz.widgets.downloads import Downloads

KEY = "difference"
SCALES = {"rank": "Difference in rank", "value": "Difference in powers of ten"}


def show_task_difference(
    heads: pd.DataFrame,
    scale: str,
    outlined: Head | None,
    pick: Callable[[str], None],
    downloads: Downloads,
    palette: Palette,
) -> None:
    """Two tasks, one map: purple for the first, orange for the second; in the URL as `first` and `second`.

    Args:
        heads: of at least two studies, see `head_frame`.
        scale: "rank" or "value", what the difference is of.
        outlined: layer and head, from 1.
        pick: called with the chart's key where a head was clicked.
        downloads: of the page.
        palette: the theme's colours.
    """
    st.subheader("Difference of two tasks", anchor=False)
    keys = list(dict.fromkeys(heads["study"]))
    titles = dict(zip(heads["study"], heads["title"], strict=True))
    columns = st.columns(2)
    with columns[0]:
        first = parameters.choose(
            st.selectbox, "A", "first", keys, what="study", format_func=lambda key: titles.get(key, key)
        )
    with columns[1]:
        second = parameters.choose(
            st.selectbox, "B", "second", keys, fallback=keys[1], what="study", format_func=lambda k: titles.get(k, k)
        )
    if first == second:
        st.info("A and B are the same study: choose two.")
        return
    difference = difference_frame(heads, first, second)
    sentence = sentences.difference_sentence(difference, titles[first], titles[second])
    st.markdown(theme.plain(sentence))
    downloads.draw(
        f"{titles[first]} minus {titles[second]}",
        difference_map(difference, (titles[first], titles[second]), outlined, palette),
        difference,
        width="stretch",
        key=KEY,
        on_select=lambda: pick(KEY),
        alt=sentence,
    )
    st.caption(
        f"Purple: matters more to A, {theme.plain(titles[first])}. Orange: more to B, {theme.plain(titles[second])}. "
        f"{SCALES[scale]}, each task seen from its own cut-off. A or B: kept by that one alone; ×: by neither."
    )


def show_task_similarity(heads: pd.DataFrame, downloads: Downloads, palette: Palette) -> None:
    """Study x study, by importance and by survivors; arguments as of `show_task_difference`."""
    st.subheader("How alike the tasks are", anchor=False)
    pairs = similarity_frame(heads)
    for column, measure, title, what, explanation in zip(
        st.columns(2, gap="medium"),
        ("spearman", "jaccard"),
        ("Importance: Spearman's rank correlation", "Survivors: Jaccard index"),
        ("ranking heads", "surviving heads"),
        (
            "1: both tasks rank all heads alike; 0: the rankings have nothing in common.",
            "Heads that both keep, divided by heads that either keeps.",
        ),
        strict=True,
    ):
        part = only(pairs, "measure", [measure])
        sentence = sentences.similarity_sentence(part, what)
        with column:
            st.markdown(f"**{title}**  \n{theme.plain(sentence)}")
            downloads.draw(title, similarity_map(part, palette), part, width="stretch", alt=sentence)
            st.caption(f"{explanation} Like tasks are put next to each other.")
