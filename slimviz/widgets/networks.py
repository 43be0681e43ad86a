"""What Playground and Live share: choosing networks whose weights are here, and loading them."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from pruning.study import Study
from pruning.variants import TEACHER, Variant
from slimviz import theme
from slimviz.frames.budgets import shipped_budgets
from slimviz.live.networks import Network, load_networks, teacher_problem
from slimviz.live.runtimes import TORCH
from slimviz.widgets.choices import choose_budget, choose_study
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
    variants: tuple[Variant, ...]


def choose(module: str) -> Choice:
    """Begin a page, let a person choose study and budget, say which weights are missing; stop where all are."""
    library = begin(module)
    left, right = st.columns(2)
    with left:
        key = choose_study(library)
    study = library.studies[key]
    shipped = shipped_budgets(study)
    with right:
        explanation = "Only budgets whose weights are stored can answer."
        budget = choose_budget(shipped, without_weights=study.selections, explanation=explanation) if shipped else None
    problem = teacher_problem(study)
    if budget is None and problem:
        st.info("This study holds numbers but no weights, so nothing can answer. `python -m pruning run` stores both.")
        st.stop()
    if budget is None:
        st.info("This study holds no slim network's weights: the teacher answers alone.")
    elif problem:
        st.info(f"{theme.plain(problem.removesuffix('.'))}: the slim network answers alone.")
    names = (() if problem else (TEACHER,)) + ((study.final(budget),) if budget else ())
    return Choice(key, study, names)


def load(choice: Choice, runtime: str = TORCH.name) -> list[Network]:
    """The chosen networks on the CPU; says which do not load, and stops where none does."""
    networks, notes = load_quietly(choice, runtime=runtime)
    for note in notes:
        st.warning(note)
    if not networks:
        st.stop()
    return networks


def load_quietly(
    choice: Choice, device: str = "cpu", runtime: str = TORCH.name, threads: int | None = None
) -> tuple[list[Network], list[str]]:
    """The chosen networks that load, and a line of Markdown for each that does not; see `load_networks`."""
    with st.spinner("Loading the networks …"):
        networks, problems = load_networks(choice.study, choice.variants, device, runtime, threads)
    alone = " The other network answers alone." if networks else ""
    notes = [f"{name(one)} cannot be loaded: {theme.plain(problem)}.{alone}" for one, problem in problems.items()]
    return networks, notes


def name(variant: Variant) -> str:
    """A network as a sentence begins with it."""
    return "The teacher" if variant.budget is None else f"The slim network ({theme.budget_title(variant.budget)})"


def device_title(device: str) -> str:
    """A device as printed."""
    kind, _, number = device.partition(":")
    return kind.upper() + (f" {number}" if number else "")
