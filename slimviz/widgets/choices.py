"""The bar that pages share: study, its method, budget, and what colours show."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from pruning.config import DEFAULT_METHOD
from slimviz.frames.budgets import default_budget
from slimviz.frames.importance import SCALES
from slimviz.frames.provenance import method_title
from slimviz.frames.results import study_title
from slimviz.frames.tradeoffs import by_method
from slimviz.loaders import Library
from slimviz.state import Parsed, parse_choice
from slimviz.theme import budget_title
from slimviz.widgets import parameters

METHOD = "choose-method"
BUDGET_HELP = "What the slim network may cost, in percent of the teacher: stored parameters where no other word stands."


def choose_study(library: Library, label: str = "Study") -> str:
    """A select box for a study, in the URL as `study`; returns its key in `library.studies`.

    Where studies of the same task and rows were made by several methods, a second one goes from one to the other.
    """
    titles = {key: study_title(key, study) for key, study in library.studies.items()}
    key = parameters.choose(st.selectbox, label, "study", list(titles), format_func=lambda key: titles.get(key, key))
    methods = by_method(key, library.studies)
    if len(methods) > 1:
        st.session_state[METHOD] = library.studies[key].method
        st.selectbox(
            "Method: what chose the units",
            sorted(methods, key=lambda name: (name != DEFAULT_METHOD, name)),
            key=METHOD,
            format_func=method_title,
            on_change=_go_to_method,
            args=(methods,),
        )
    return key


def _go_to_method(methods: Mapping[str, str]) -> None:
    parameters.change(study=methods[st.session_state[METHOD]])


def choose_budget(
    offered: Sequence[str], label: str = "Budget", *, without_weights: Collection[str] = (), explanation: str = ""
) -> str:
    """A row of budgets, in the URL as `budget`; returns the name of one ("10", "flops-25").

    Args:
        offered: names of budgets, at least one.
        label: the widget's label.
        without_weights: budgets that may stand in the URL, but cannot be chosen for want of weights.
        explanation: what to add to the widget's help.
    """
    fallback = default_budget(offered)

    def parse(raw: str | None) -> Parsed[str]:
        if raw is not None and raw in without_weights and raw not in offered:
            lacks = f"At {budget_title(raw)} this study holds numbers but no weights"
            return Parsed(fallback, f"{lacks}; showing {budget_title(fallback)}.", wanted=raw)
        return parse_choice("budget", raw, offered, fallback)

    return parameters.choose(
        st.segmented_control,
        label,
        "budget",
        offered,
        parse=parse,
        format_func=budget_title,
        required=True,
        help=f"{BUDGET_HELP} {explanation}".strip(),
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
