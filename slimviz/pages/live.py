"""Live: metric and speed of teacher and slim, measured here and now, with progress and a stop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from pruning.errors import SlimVizError
from pruning.study import Study
from pruning.variants import Variant
from slimviz import results_in_words, theme
from slimviz.frames.results import study_title
from slimviz.live.background import BackgroundRun
from slimviz.live.examples import Drawn, data_choices, draw
from slimviz.live.networks import devices
from slimviz.live.run import BATCHES, LENGTHS, LiveRun, RunSettings
from slimviz.live.upload import read_upload
from slimviz.widgets import networks
from slimviz.widgets.background_run import take, watch
from slimviz.widgets.guard import guard
from slimviz.widgets.networks import Choice
from slimviz.widgets.run_result import (
    REAL,
    busy_sentence,
    result_table,
    score_sentence,
    speed_sentence,
    stored_against_here,
    stored_sentence,
)
from slimviz.widgets.runtime import choose_runtime, choose_threads
from slimviz.widgets.upload import FileChoice, choose_file

RUNNING = "live:running"  # session: the run at work, or one whose rows are not kept yet
NOTES = "live:notes"  # session: what did not go as asked in the run at work, or the latest one
RUNS = "live:runs"  # session: rows of the runs done, the newest last
KEPT_RUNS = 50
EXAMPLE_COUNTS = (64, 128, 256, 512, 1024)
DEFAULT_EXAMPLES = 256
FILE = "file"  # the data are the visitor's own
UPLOADED = "uploaded"  # what rows call its split


def render() -> None:
    """Draw the page."""
    choice = networks.choose("live")
    _keep_what_is_over()
    asked = _choose_data(choice)
    machine = _choose_machine()
    settings = _form(choice, asked)
    if settings is not None:
        _start(choice, settings, asked, machine)
    for note in st.session_state.get(NOTES, []):
        st.warning(note)
    if RUNNING in st.session_state:
        watch(RUNNING, "live-stop")
    runs: list[list[dict[str, Any]]] = st.session_state.get(RUNS, [])
    if runs:
        _show_latest(choice, runs[-1])
        _show_all(runs)
    elif RUNNING not in st.session_state:
        st.caption("Nothing has been measured in this session yet.")


# Settings


@dataclass(frozen=True)
class Asked:
    """Which examples a run is to answer.

    Attributes:
        split: one of the task's validation splits.
        source: of a `DataChoice`, or None for no examples of GLUE's or the probe set.
        file: the visitor's own, or None.
        most: how many examples at most; None for all.
        is_usable: not where a line says what is wrong with the file.
    """

    split: str
    source: str | None = None
    file: FileChoice | None = None
    most: int | None = None
    is_usable: bool = True


def _choose_data(choice: Choice) -> Asked:
    """Where the examples come from; outside the form, since a file's columns can be chosen only once it is there."""
    task = choice.study.task
    sources = {entry.source: theme.plain(entry.title) for entry in data_choices(task)} | {FILE: "A file of your own"}
    split, file, is_usable = task.validation[0], None, True
    with st.container(border=True):
        source, place = FILE, st.container()
        if len(sources) > 1:
            left, place = st.columns([1, 2])
            with left:
                source = st.radio("Data", list(sources), format_func=sources.get, key=f"live-data-{task.name}")
        with place:
            if source == FILE:
                has_teacher = any(variant.is_teacher for variant in choice.variants)
                file, is_usable = choose_file(task, has_teacher=has_teacher)
            elif len(task.validation) > 1:
                split = st.selectbox("Split", task.validation, format_func=_split_title, key="live-split")
            most = _choose_number() if file is not None or source != FILE else None
    return Asked(str(split), None if source == FILE else source, file, most, is_usable)


def _choose_number() -> int | None:
    return st.selectbox(
        "Examples",
        [*EXAMPLE_COUNTS, None],
        index=EXAMPLE_COUNTS.index(DEFAULT_EXAMPLES),
        format_func=lambda count: "all" if count is None else f"at most {count}",
        key="live-examples",
    )


@dataclass(frozen=True)
class Machine:
    """What a run computes with.

    Attributes:
        device: as torch names it.
        runtime: name of one that there is on it.
        threads: of the processor; None for all, or on another device.
    """

    device: str
    runtime: str
    threads: int | None


def _choose_machine() -> Machine:
    """Device, runtime and threads; outside the form, since what there is to choose follows from the device."""
    with st.spinner("Looking at what this machine offers …"):
        offered = devices()
    with st.container(border=True):
        left, right = st.columns(2)
        with left:
            device = st.radio(
                "Device",
                [entry.name for entry in offered if entry.available],
                format_func={entry.name: entry.title for entry in offered}.get,
                key="live-device",
            )
            missing = [entry for entry in offered if not entry.available]
            if missing:
                st.radio(
                    "Not available here",
                    [entry.title for entry in missing],
                    captions=[theme.plain(entry.reason or "") for entry in missing],
                    index=None,
                    disabled=True,
                    key="live-missing-devices",
                )
        with right:
            runtime = choose_runtime(str(device))
            threads = choose_threads() if device == "cpu" else None
    return Machine(str(device), runtime, threads)


def _form(choice: Choice, asked: Asked) -> RunSettings | None:
    """How to run; None until it is sent."""
    has_texts = asked.source is not None or asked.file is not None
    longest = choice.study.document.config.max_length
    timed = [length for length in LENGTHS if length <= longest] or [longest]
    lengths: list[str | int] = [*([REAL] if has_texts else []), *timed]
    with st.form("live-form"):
        left, right = st.columns(2)
        with left:
            batch = st.segmented_control(
                "Batch (texts at once)", BATCHES, default=BATCHES[0], required=True, key="live-batch"
            )
        with right:
            length = st.selectbox(
                "Length timed (tokens)",
                lengths,
                key=f"live-length-{'texts' if has_texts else 'alone'}",  # texts, once they are there, come first
                help="Real texts: the examples as they are, each network with its own tokenizer.",
            )
        if not st.form_submit_button(
            "Measure now",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not asked.is_usable or RUNNING in st.session_state,
        ):
            return None
    return RunSettings(int(batch or 1), None if length == REAL else int(length))


def _split_title(split: str) -> str:
    return split.replace("_", " ")


# Running


def _start(choice: Choice, settings: RunSettings, asked: Asked, machine: Machine) -> None:
    """Load what the run needs, and leave the rest to a thread."""
    try:
        loaded, notes = networks.load_quietly(choice, machine.device, machine.runtime, machine.threads)
        if not loaded:
            for note in notes:
                st.warning(note)
            return
        with st.spinner("Reading the examples …"):
            drawn = _examples(choice.study, asked)
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        return
    if drawn is not None and drawn.note:
        notes.append(theme.plain(drawn.note))
    st.session_state[NOTES] = notes
    split = UPLOADED if asked.file else asked.split
    st.session_state[RUNNING] = BackgroundRun(LiveRun(choice.study, loaded, drawn, settings, split))
    st.rerun()  # with the button that starts runs out of reach


def _examples(study: Study, asked: Asked) -> Drawn | None:
    if asked.file is not None:
        return read_upload(asked.file.file, asked.file.columns, study, asked.most)
    return None if asked.source is None else draw(study.task, asked.split, asked.source, asked.most)


def _keep_what_is_over() -> None:
    """Put the rows of a run that has ended among the session's results."""
    rows = take(RUNNING)
    if rows:
        runs = st.session_state.setdefault(RUNS, [])
        runs.append(rows)
        del runs[:-KEPT_RUNS]


# Showing


def _show_latest(choice: Choice, rows: Sequence[dict[str, Any]]) -> None:
    stopped = ", stopped early" if rows[0]["status"] == "stopped" else ""
    st.subheader(f"Latest run: {theme.plain(rows[0]['title'])}{stopped}", anchor=False)
    if said := busy_sentence(rows):
        st.warning(said)
    for sentence in (score_sentence(rows), speed_sentence(rows)):
        if sentence:
            st.markdown(sentence)
    st.dataframe(result_table(rows), hide_index=True, width="stretch")
    if rows[0]["study"] == choice.study.name:
        with guard("What is stored with the study"):
            if lines := stored_against_here(choice.study, rows):
                st.table(lines, alt="What is stored with the study against what was measured here")
            stored = stored_sentence(choice.study, [Variant.parse(row["network"]) for row in rows])
            if stored:
                st.caption(stored)
            if said := results_in_words.study_sentence(study_title(choice.key, choice.study), choice.study):
                st.caption(theme.plain(said))


def _show_all(runs: Sequence[Sequence[dict[str, Any]]]) -> None:
    frame = pd.DataFrame([{"run": number, **row} for number, rows in enumerate(runs, start=1) for row in rows])
    with st.expander(f"All runs of this session ({len(runs)})"):
        st.dataframe(frame, hide_index=True, width="stretch")
        left, right = st.columns(2)
        left.download_button(
            "All runs as CSV",
            frame.to_csv(index=False),
            "slimviz-live.csv",
            "text/csv",
            key="live-csv",
            width="stretch",
        )
        right.download_button(
            "All runs as JSON",
            json.dumps(runs, indent=1),
            "slimviz-live.json",
            "application/json",
            key="live-json",
            width="stretch",
        )
