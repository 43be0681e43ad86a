"""What two clicked networks differ by, beside the chart of Trade-offs."""

from __future__ import annotations

import streamlit as st

from pruning.data.tasks import Task
from slimviz import theme
from slimviz.frames.measured import Point
from slimviz.frames.tradeoff_rows import difference_rows
from slimviz.tradeoffs_in_words import point_title


def show_difference(first: Point | None, second: Point | None, task: Task) -> None:
    """Score and cost of both, and what the second has of the first.

    Args:
        first: A; None for a line that says what stands here.
        second: B.
        task: theirs.
    """
    if first is None or second is None:
        st.markdown("Click two networks, or choose them here: what they differ by stands below.")
        return
    st.table(
        [{name: theme.plain(text) for name, text in row.items()} for row in difference_rows(first, second, task)],
        alt=f"{point_title(second)} against {point_title(first)}",
    )
    if len(first.networks) > 1 or len(second.networks) > 1:
        st.caption("Means over seeds where several are stored; intervals and times are of the first one.")
