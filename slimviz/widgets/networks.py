"""What Playground and Live share: choosing networks whose weights are here, and loading them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pruning.study import Study
from slimviz import theme
from slimviz.frames.results import default_budget
from slimviz.live.networks import TEACHER, Network, load_networks, slim_budgets
from slimviz.state import Parsed, parse_choice
from slimviz.widgets import parameters
from slimviz.widgets.choices import choose_study
from slimviz.widgets.frame import begin


@dataclass(frozen=True)
class Choice:
    """What a page works with.

    Attributes:
        key: the study's key in the URL.
        study: the study.
        variants: networks whose weights are here: the teacher first, then the slim one.
    """

    key: str
    study: Study
    variants: tuple[str, ...]


def choose(module: str) -> Choice:
    """Begin a page, let a person choose study and budget, say which weights are missing; stop where all are."""
    library = begin(module)
    left, right = st.columns(2)
    with left:
        key = choose_study(library)
    study = library.studies[key]
    shipped = slim_budgets(study)
    with right:
        budget = _choose_budget(study, shipped) if shipped else None
    has_teacher = study.weights(TEACHER) is not None
    if budget is None and not has_teacher:
        st.info("This study holds numbers but no weights, so nothing can answer. `python -m pruning run` stores both.")
        st.stop()
    if budget is None:
        st.info("This study holds no slim network's weights: the teacher answers alone.")
    elif not has_teacher:
        st.info("The teacher's weights are not in this study: the slim network answers alone.")
    names = ((TEACHER,) if has_teacher else ()) + ((f"slim-{budget}",) if budget else ())
    return Choice(key, study, names)


def _choose_budget(study: Study, shipped: Sequence[str]) -> str:
    fallback = default_budget(list(shipped))

    def parse(raw: str | None) -> Parsed[str]:
        if raw in study.data["selections"] and raw not in shipped:
            return Parsed(fallback, f"At {raw}% this study holds numbers but no weights; showing {fallback}%.")
        return parse_choice("budget", raw, shipped, fallback)

    budget = parameters.resolve("budget", parse)
    key = "choose-shipped-budget"
    st.session_state[key] = budget
    st.segmented_control(
        "Budget",
        shipped,
        key=key,
        format_func=lambda percent: f"{percent}%",
        required=True,
        help="Stored parameters of the slim network, in percent of the teacher's (total density). "
        "Only budgets whose weights are stored can answer.",
        on_change=lambda: parameters.change("budget", st.session_state[key]),
    )
    return budget


def load(choice: Choice, device: str = "cpu") -> list[Network]:
    """The chosen networks; says which do not load, and stops where none does."""
    with st.spinner("Loading the networks …"):
        networks, problems = load_networks(choice.study, choice.variants, device)
    for variant, problem in problems.items():
        alone = " The other network answers alone." if networks else ""
        st.warning(f"{name(variant)} cannot be loaded: {theme.plain(problem)}.{alone}")
    if not networks:
        st.stop()
    return networks


def name(variant: str) -> str:
    """A network as a sentence begins with it."""
    return "The teacher" if variant == TEACHER else f"The slim network ({variant.removeprefix('slim-')}%)"


def device_title(device: str) -> str:
    """A device as printed."""
    kind, _, number = device.partition(":")
    return kind.upper() + (f" {number}" if number else "")
