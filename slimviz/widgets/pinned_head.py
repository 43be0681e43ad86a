"""The head that was clicked on Heads travels along: what it is in the network of this page, and the way back."""

from __future__ import annotations

import streamlit as st

from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.frames.heads import HeadStudy, criteria, head_frame, opening_criterion
from slimviz.frames.results import study_title
from slimviz.frames.tidy import records
from slimviz.state import NONE, format_head, parse_head
from slimviz.widgets import parameters
from slimviz.widgets.guard import guard
from slimviz.widgets.navigation import link


def show_pinned_head(key: str, study: Study, budget: str | None) -> None:
    """A line on the pinned head, in the URL as `head`; nothing where none is pinned.

    Args:
        key: the study's in the URL.
        study: the study.
        budget: of the slim network that the page shows; None where there is none.
    """
    if parameters.read("head") in (None, NONE) or budget is None:
        return
    shape = study.shape
    head = parameters.resolve("head", lambda raw: parse_head(raw, shape.layers, shape.heads), format_head)
    if head is None:
        return
    with guard("The pinned head"):
        where = {"study": key, "studies": key, "budget": budget, "head": format_head(head)}
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":material/keep: {theme.plain(_sentence(key, study, budget, head))}", width="content")
            link("heads", "Its card", **where)
            st.button("Unpin", type="tertiary", on_click=parameters.change, kwargs={"head": NONE})


def _sentence(key: str, study: Study, budget: str, head: tuple[int, int]) -> str:
    shown = HeadStudy(
        key, study_title(key, study), loaders.factors(study), loaders.masks(study, budget), study.head_criterion
    )
    if not criteria([shown]):
        return f"Pinned: {theme.head_title(*head)}."
    criterion = opening_criterion([shown])
    rows = [row for row in records(head_frame([shown], criterion)) if (row["layer"] - 1, row["head"] - 1) == head]
    return sentences.pinned_sentence(rows[0], theme.budget_title(budget), theme.criterion_title(criterion))
