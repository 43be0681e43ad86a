"""Anatomy: what is BERT made of, and what is left? Parameters, operations and measured time by component."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pruning.bert.shapes import NetworkShape
from pruning.study import Study
from pruning.variants import TEACHER, Variant
from slimviz import anatomy_in_words, theme
from slimviz.charts.component_bars import component_bars
from slimviz.frames.anatomy import anatomy_frame, anatomy_table, time_frame
from slimviz.frames.budgets import budgets
from slimviz.frames.tidy import only
from slimviz.live.background import BackgroundRun
from slimviz.live.components import ComponentRun
from slimviz.live.networks import teacher_problem
from slimviz.live.run import BATCHES, LENGTHS
from slimviz.widgets import networks, parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.background_run import take, watch
from slimviz.widgets.choices import choose_budget, choose_study
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.frame import begin, figure
from slimviz.widgets.guard import guard
from slimviz.widgets.run_result import FEWEST_BATCHES, busy_sentence

RUNNING = "anatomy:running"  # session: the run at work
MEASURED = "anatomy:measured"  # session: rows of the latest run
NOTES = "anatomy:notes"  # session: what was not measured in it, and why
COMMON_LENGTH = "32"  # tokens: at which densities of operations are counted everywhere else
IN_TABLE = {"parameters": "Parameters", "bytes": "Memory", "flops": "FLOPs"}


def render() -> None:
    """Draw the page."""
    library = begin("anatomy")
    with st.container(key="choices-of-anatomy"):
        places = st.columns([3, 3, 3, 2])
    with places[0]:
        key = choose_study(library)
    study = library.studies[key]
    offered, budget = budgets(study), None
    with places[1]:
        if offered:
            budget = choose_budget(offered)
    with places[2]:
        length = _choose("Tokens a text", "length", _lengths(study), COMMON_LENGTH)
    with places[3]:
        batch = _choose("Texts at once", "batch", [str(size) for size in BATCHES], str(BATCHES[0]))
    if budget is None:
        st.info("This study holds no slim network yet: this is its teacher alone.")
    slim = study.selections[budget].network if budget is not None else None
    with guard("What it is made of"):
        _counted(study, budget, slim, length, batch)
    with guard("The milliseconds"):
        _measured(study, budget, length, batch)


def _choose(label: str, parameter: str, options: Sequence[str], fallback: str) -> int:
    start = fallback if fallback in options else options[0]
    return int(parameters.choose(st.segmented_control, label, parameter, options, fallback=start, required=True))


def _lengths(study: Study) -> list[str]:
    """Tokens a text that all networks of a study read."""
    config = study.document.config
    most = min(
        [config.max_length, study.shape.positions, *(one.network.positions for one in study.selections.values())]
    )
    return [str(length) for length in LENGTHS if length <= most] or [str(most)]


def _counted(study: Study, budget: str | None, slim: NetworkShape | None, length: int, batch: int) -> None:
    """What follows from the widths alone."""
    frame = anatomy_frame(study.shape.network(), slim, length, batch)
    _totals(study, budget, frame, length, batch)
    left, right = st.columns(2, gap="medium")
    downloads = Downloads("anatomy")
    for place, cost, title, unit in (
        (left, "parameters", "What is stored", "parameters"),
        (right, "flops", "What is computed", f"FLOPs of {anatomy_in_words.texts(batch, length)}"),
    ):
        with place:
            part = only(frame, "cost", [cost])
            sentence = anatomy_in_words.cost_sentence(part, cost)
            st.markdown(f"**{title}.** {theme.plain(sentence)}")
            chart = component_bars(part, unit, current_palette())
            downloads.draw(f"{title} by component", chart, part, width="stretch", alt=sentence)
    is_factored = slim is not None and slim.rank is not None
    factored = " The slim word table is two factors, which it has to multiply." if is_factored else ""
    st.caption(
        "Blue: slim network. Grey behind it: teacher. Attention itself: scores, softmax and weighted sum, which store "
        "nothing and grow with the square of the length. FLOPs: two for each multiply-add of a matrix product; looking "
        "words up, softmax and LayerNorm are not counted."
        f"{factored}"
    )
    with st.expander("The same as a table, with memory"):
        st.dataframe(anatomy_table(frame, IN_TABLE), hide_index=True, alt="Costs by component")
        st.caption("Memory: of the weights, in float32 as they compute. Stored in half precision, they take half.")
    downloads.offer()


def _totals(study: Study, budget: str | None, frame: pd.DataFrame, length: int, batch: int) -> None:
    """All components together, and the memory that was measured."""
    with st.container(key="figures-of-anatomy"):
        cells = st.columns(4)
    values = anatomy_in_words.totals(frame)
    teacher = study.result(TEACHER)
    result = None if budget is None else study.result(study.final(budget))
    before, after = (None if row is None else row.peak_memory_bytes for row in (teacher, result))
    for cell, label, value, below in zip(
        cells,
        ("Parameters", "Weights in memory", "FLOPs", "Peak memory, measured"),
        (
            values["parameters"],
            values["bytes"],
            values["flops"],
            anatomy_in_words.change(before, after, theme.bytes_text),
        ),
        (
            "stored, embeddings and classifier included",
            "float32; half of it on disk",
            f"{anatomy_in_words.texts(batch, length)}",
            "to load it and answer 32 texts, when the study was made",
        ),
        strict=True,
    ):
        with cell:
            figure(label, value, below)


def _measured(study: Study, budget: str | None, length: int, batch: int) -> None:
    """What each component takes here and now, once it is asked for."""
    st.subheader("Milliseconds, here and now", anchor=False)
    rows = take(RUNNING)
    if rows:
        st.session_state[MEASURED] = rows
    if st.button("Measure here", type="primary", icon=":material/timer:", disabled=RUNNING in st.session_state):
        _start(study, budget, length, batch)
    for note in st.session_state.get(NOTES, []):
        st.warning(note)
    if RUNNING in st.session_state:
        watch(RUNNING, "anatomy-stop")
    found: list[dict[str, Any]] = st.session_state.get(MEASURED, [])
    if not found:
        st.caption(
            "Not measured in this session. Teacher and slim network take turns on this machine's CPU, each component "
            f"timed on its own; {anatomy_in_words.texts(batch, length)}, made up."
        )
    elif not _is_shown(found, study, budget, length, batch):
        st.caption(f"What was measured last is of {theme.plain(anatomy_in_words.measured_of(found))}.")
    else:
        _times(found)
    if said := anatomy_in_words.stored_speed(study, budget, length, batch):
        st.caption(theme.plain(said))


def _is_shown(rows: Sequence[dict[str, Any]], study: Study, budget: str | None, length: int, batch: int) -> bool:
    """Whether rows are of what the page is about."""
    slim = {Variant.parse(row["network"]).budget for row in rows} - {None}
    same = (rows[0]["study"], rows[0]["length"], rows[0]["batch"]) == (str(study.folder), length, batch)
    return same and slim <= {budget}


def _start(study: Study, budget: str | None, length: int, batch: int) -> None:
    """Load what is here, and leave the rest to a thread."""
    problem = teacher_problem(study)
    final = None if budget is None else study.final(budget)
    has_slim = final is not None and study.weights(final) is not None
    variants = [*([] if problem else [TEACHER]), *([final] if final is not None and has_slim else [])]
    notes = [theme.plain(problem)] if problem else []
    if budget is not None and not has_slim:
        notes.append(f"At {theme.plain(theme.budget_title(budget))} numbers are stored, no weights.")
    loaded = []
    if variants:
        loaded, unloaded = networks.load_quietly(networks.Choice(study.name, study, tuple(variants)))
        notes += unloaded
    st.session_state[NOTES] = notes
    if loaded:
        st.session_state[RUNNING] = BackgroundRun(ComponentRun(study, loaded, batch, length))
        st.rerun()  # with the button that starts runs out of reach


def _times(rows: Sequence[dict[str, Any]]) -> None:
    if said := busy_sentence(rows):
        st.warning(said)
    if rows[0]["rounds"] < FEWEST_BATCHES:
        st.markdown(f"Too few rounds for milliseconds ({rows[0]['rounds']}): there are some from {FEWEST_BATCHES} on.")
        return
    frame = time_frame(rows, anatomy_in_words.short_ms)
    sentence = anatomy_in_words.time_sentence(rows)
    st.markdown(theme.plain(sentence))
    downloads = Downloads("anatomy-measured")
    chart = component_bars(frame, "milliseconds", current_palette())
    downloads.draw("Milliseconds by component", chart, frame, width="stretch", alt=sentence)
    st.caption(theme.plain(anatomy_in_words.difference_sentence(rows)))
    with st.expander("The milliseconds as a table"):
        st.dataframe(anatomy_in_words.time_table(frame, rows), hide_index=True, alt="Milliseconds by component")
    downloads.offer()
