"""What a clicked head is to each task shown, beside the maps of Heads."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from slimviz import sentences, theme
from slimviz.frames.tidy import records
from slimviz.state import format_head
from slimviz.widgets.navigation import link


def show_head_card(heads: pd.DataFrame, chosen: tuple[int, int] | None, askable: Mapping[str, str | None]) -> None:
    """One head: rank, importance and fate in every task shown.

    Args:
        heads: of `head_frame`.
        chosen: layer and head, from 0; None for a line that says what stands here.
        askable: by study, the budget whose network Playground can ask.
    """
    with st.container(border=True):
        if chosen is None:
            st.markdown("Click a head, or choose one above: what it is to each task stands here.")
            return
        place = {"layer": chosen[0] + 1, "head": chosen[1] + 1}
        rows = [row for row in records(heads) if all(row[name] == number for name, number in place.items())]
        st.subheader(theme.head_title(*chosen).capitalize(), anchor=False)
        st.markdown(theme.plain(sentences.head_sentence(rows)))
        st.table(
            [
                {
                    "Task": theme.plain(row["title"]),
                    "Rank": f"{row['rank']}/{row['heads']}",
                    "Importance": theme.value_text(row["importance"]),
                    "Fate": row["fate"],
                    "Units": f"{row['units']}/{row['head_size']}",
                }
                for row in rows
            ],
            alt=f"{theme.head_title(*chosen)} in every task shown",
        )
        if any(askable.values()):
            st.caption("It stays pinned while you ask the networks of:")
        with st.container(horizontal=True, gap="small"):
            for row in rows:
                budget = askable[row["study"]]
                if budget is not None:
                    link("playground", row["title"], study=row["study"], budget=budget, head=format_head(chosen))
