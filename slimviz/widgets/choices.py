"""The bar that pages share: study, budget, and what colours show."""

from __future__ import annotations

import streamlit as st

from pruning.study import Study
from slimviz.frames.importance import SCALES
from slimviz.frames.results import budgets, default_budget, study_title
from slimviz.loaders import Library
from slimviz.widgets import parameters


def choose_study(library: Library, label: str = "Study") -> str:
    """A select box for a study, in the URL as `study`; returns its key in `library.studies`."""
    titles = {key: study_title(key, study) for key, study in library.studies.items()}
    return parameters.choose(st.selectbox, label, "study", list(titles), format_func=lambda key: titles.get(key, key))


def choose_budget(study: Study, label: str = "Budget") -> str:
    """A row of a study's budgets, in the URL as `budget`; returns the percentage as stored ("10")."""
    percents = budgets(study)
    return parameters.choose(
        st.segmented_control,
        label,
        "budget",
        percents,
        fallback=default_budget(percents),
        format_func=lambda percent: f"{percent}%",
        required=True,
        help="Stored parameters of the slim network, in percent of the teacher's (total density).",
    )


def choose_scale() -> str:
    """What colours of importance show, in the URL as `scale`; see `frames.importance.SCALES`."""
    return parameters.choose(
        st.segmented_control,
        "Colours show",
        "scale",
        SCALES,
        required=True,
        help="Rank: the place among all others of a map or strip, green for as many as survive. Value: importance as "
        "a multiple of the cut-off, on a logarithmic scale.",
    )
