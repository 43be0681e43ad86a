"""Overview: what survived, and was it worth it? A network to scale, a row a task, and the open task in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from pruning.bert.counts import count_parameters
from pruning.errors import one_line
from pruning.study import Study
from slimviz import loaders, results_in_words, theme
from slimviz.charts.network_picture import network_picture
from slimviz.charts.task_rows import task_rows
from slimviz.frames.budgets import budgets
from slimviz.frames.drawing import network_drawing
from slimviz.frames.results import Summary, study_title, summarise
from slimviz.frames.verdicts import MARGINS
from slimviz.state import parse_choice
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_budget
from slimviz.widgets.frame import begin, figure
from slimviz.widgets.guard import guard
from slimviz.widgets.navigation import link
from slimviz.widgets.study_card import show_budgets, show_card
from slimviz.widgets.task_rows import show_task_rows

COMMON_MARGIN = "3"  # points that a page opens with
MOST_TEACHERS = 2  # named in the sentence below the title
LONGEST_NAME = 40  # characters of a teacher's name there


def render() -> None:
    """Draw the page."""
    library = begin("overview")
    st.caption(theme.plain(lead(library.studies)))
    offered = budgets(*library.studies.values())
    if not offered:
        st.info("None of these studies has a stored budget yet; `python -m pruning run` makes them.")
        return
    with st.container(gap="small"):
        budget, margin = _choose(offered)
        rows = _summaries(library.studies, budget)
        keys = list(library.studies)
        first = rows[0].key if rows else keys[0]
        key = parameters.resolve("study", lambda raw: parse_choice("study", raw, keys, first))
        chosen = next((row for row in rows if row.key == key), None)
        with guard("The headline"):
            st.markdown(f"**{theme.plain(results_in_words.overview_headline(rows, budget, margin))}**")
    left, right = st.columns([5, 7], gap="medium")
    with left, guard(f"The network of {study_title(key, library.studies[key])}"):
        if chosen is not None:
            _network(library.studies[key], chosen)
    with right, guard("The tasks"):
        _tasks(rows, key, chosen, margin)
    if chosen is not None:
        with guard(chosen.title):
            study = library.studies[key]
            show_card(study, chosen)
            show_budgets(study, [summarise(key, study, name) for name in budgets(study)])


def lead(studies: Mapping[str, Study]) -> str:
    """What this is, in one sentence: what a teacher is, and what a slim network."""
    teachers = dict.fromkeys(
        f"{one_line(study.document.backbone.name, LONGEST_NAME)}, "
        f"{theme.amount_text(count_parameters(study.shape.network()).total)} parameters"
        for study in studies.values()
    )
    what = " or ".join(teachers) if len(teachers) <= MOST_TEACHERS else f"one of {len(teachers)} BERTs"
    return (
        f"A teacher ({what}, fine-tuned on the task) and the slim network that is left of it: heads, neurons and word "
        "pieces removed for good, the rest trained again."
    )


def _choose(offered: Sequence[str]) -> tuple[str, float]:
    """Budget, and the loss that would still be fine; in the URL as `budget` and `margin`."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        budget = choose_budget(offered, "Budget: kept of the teacher's parameters")
        margin = parameters.choose(
            st.segmented_control,
            "Loss that would still be fine, in points",
            "margin",
            MARGINS,
            fallback=COMMON_MARGIN,
            required=True,
            help="Hundredths of the metric. Rows say whether a network stays within it; the green band shows it.",
        )
    return budget, float(margin)


def _summaries(studies: Mapping[str, Study], budget: str) -> list[Summary]:
    """What is known of each study at a budget, those with a result first; a line where one cannot be shown."""
    rows = []
    for key, study in studies.items():
        with guard(study_title(key, study)):
            rows.append(summarise(key, study, budget))
    return sorted(rows, key=lambda row: (row.slim.score is None, row.has_weak_teacher))


def _network(study: Study, row: Summary) -> None:
    """The open study's network inside its teacher, with the numbers that it was cut for."""
    st.markdown(f"**{theme.plain(row.title)}'s network, areas to scale**")
    picture, beside = st.columns([7, 4], gap="small")
    with beside, st.container(key="figures", gap="small"):
        if row.is_labelled:
            figure("slim minus teacher", results_in_words.span(row), "points, 95% interval")
        figure("on disk" if row.slim.size_bytes else "parameters", *_size(study, row))
        figure("as fast, batch 32", theme.times_text(row.speedup_32), row.conditions or "not measured at this budget")
        if row.speedup_1 is not None:
            figure("as fast, one text", theme.times_text(row.speedup_1), "the same at batch 1")
    with picture:
        selection = study.selections.get(row.budget)
        if selection is None:
            st.caption(f"No masks at {theme.plain(theme.budget_title(row.budget))}.")
            return
        drawing = network_drawing(study.shape, selection.network, loaders.masks(study, row.budget))
        st.html(network_picture(drawing, row.title, current_palette()))
        link("survivors", "Unit by unit", study=row.key, budget=row.budget, density=row.budget)


def _size(study: Study, row: Summary) -> tuple[str, str]:
    """Teacher's and slim network's size with what is counted: bytes, or parameters where no weights were weighed."""
    share = f"{theme.percent_text(row.total_density)} of the parameters"
    if row.slim.size_bytes:
        before = f"{theme.bytes_text(row.teacher.size_bytes)} → " if row.teacher.size_bytes else ""
        return f"{before}{theme.bytes_text(row.slim.size_bytes)}", share
    whole = count_parameters(study.shape.network()).total
    if row.total_density is None:
        return theme.amount_text(whole), f"the teacher's; nothing is stored at {theme.budget_title(row.budget)}"
    return f"{theme.amount_text(whole)} → {theme.amount_text(row.total_density * whole)}", share


def _tasks(rows: Sequence[Summary], key: str, chosen: Summary | None, margin: float) -> None:
    """A row a task; what the open one says in words is right below."""
    st.markdown("**Slim minus teacher, in points of the task's metric, 95% interval**")
    show_task_rows(task_rows(rows, key, margin, current_palette()))
    if chosen is not None:
        st.caption(theme.plain(results_in_words.row_sentence(chosen)))
    has_floors = any(row.is_labelled for row in rows)
    floor = " Red tick: the floor, ‹ where it is further away." if has_floors else ""
    st.caption(
        "Dot: the network that ships; faint dots: other seeds. Band: the loss that you call fine."
        f"{floor} A row opens its network and, below, its numbers."
    )
