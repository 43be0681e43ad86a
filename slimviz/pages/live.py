"""Live: metric and speed of teacher and slim, measured here and now, with progress and a stop."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pruning.data.task import METRIC_TITLES, SHARES
from pruning.errors import SlimVizError
from pruning.study import Study
from pruning.variants import Variant
from slimviz import sentences, theme
from slimviz.frames.results import study_title
from slimviz.live.examples import data_choices, draw
from slimviz.live.networks import devices, threads_text
from slimviz.live.run import BATCHES, LENGTHS, LiveRun, RunSettings
from slimviz.widgets import networks
from slimviz.widgets.guard import guard
from slimviz.widgets.networks import Choice

RUNNING = "live:running"  # session: the run whose rows are not kept yet
RUNS = "live:runs"  # session: rows of the runs done, the newest last
KEPT_RUNS = 50
EXAMPLE_COUNTS = (64, 128, 256, 512, 1024)
DEFAULT_EXAMPLES = 256
REAL = "real texts"
DRAW_SECONDS = 0.1  # between two drawings of the progress bar: each costs the measured machine some work


def render() -> None:
    """Draw the page."""
    choice = networks.choose("live")
    _keep_interrupted()
    asked = _form(choice)
    place = st.container()
    if asked is not None:
        with place:
            _run(choice, *asked)
    runs: list[list[dict[str, Any]]] = st.session_state.get(RUNS, [])
    if runs:
        _show_latest(choice, runs[-1])
        _show_all(runs)
    elif asked is None:
        place.caption("Nothing has been measured in this session yet.")


# Settings


def _form(choice: Choice) -> tuple[RunSettings, str, str | None, int | None] | None:
    """What to run: settings, split, source and number of examples; None until it is sent."""
    task = choice.study.task
    with st.spinner("Looking at what this machine offers …"):
        offered, threads = devices(), threads_text()
    sources = {entry.source: theme.plain(entry.title) for entry in data_choices(task)}
    longest = choice.study.document.config.max_length
    timed = [length for length in LENGTHS if length <= longest] or [longest]
    lengths: list[str | int] = [*([REAL] if sources else []), *timed]
    with st.form("live-form"):
        left, middle, right = st.columns(3)
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
        with middle:
            batch = st.segmented_control(
                "Batch (texts at once)", BATCHES, default=BATCHES[0], required=True, key="live-batch"
            )
            length = st.selectbox(
                "Length timed (tokens)",
                lengths,
                key="live-length",
                help="Real texts: the examples as they are, each network with its own tokenizer.",
            )
            st.caption(f"On the CPU torch computes with {threads} here.")
        with right:
            source, split, most = None, task.validation[0], None
            if sources:
                source = st.radio(
                    "Data",
                    list(sources),
                    format_func=sources.get,
                    key=f"live-data-{task.name}",
                )
                if len(task.validation) > 1:
                    split = st.selectbox("Split", task.validation, format_func=_split_title, key="live-split")
                most = st.selectbox(
                    "Examples",
                    [*EXAMPLE_COUNTS, None],
                    index=EXAMPLE_COUNTS.index(DEFAULT_EXAMPLES),
                    format_func=lambda count: "all" if count is None else f"at most {count}",
                    key="live-examples",
                )
            else:
                st.caption(
                    "No labelled examples of this task can be found from here, so speed alone is measured. "
                    f"`python -m pruning measure {choice.study.name} --validation-file ...` "
                    "scores it on a file of yours."
                )
        if not st.form_submit_button("Measure now", type="primary", icon=":material/play_arrow:"):
            return None
    settings = RunSettings(str(device), int(batch or 1), None if length == REAL else int(length))
    return settings, str(split), source, most


def _split_title(split: str) -> str:
    return split.replace("_", " ")


# Running


def _run(choice: Choice, settings: RunSettings, split: str, source: str | None, most: int | None) -> None:
    try:
        loaded = networks.load(choice, settings.device)
        drawn = None
        if source is not None:
            with st.spinner("Reading the examples …"):
                drawn = draw(choice.study.task, split, source, most)
            if drawn.note:
                st.warning(theme.plain(drawn.note))
        run = LiveRun(choice.study, loaded, drawn, settings, split)
        st.session_state[RUNNING] = run
        place = st.empty()
        with place.container():
            progress = st.progress(0.0, text="Warming up …")
            st.button("Stop", key="live-stop", icon=":material/stop:")
            st.caption("What is done when you stop is kept. Leaving this page or choosing another study stops it, too.")
        drawn_at = 0.0
        for step in run.steps():
            if time.monotonic() - drawn_at > DRAW_SECONDS:  # a click on Stop takes effect at this call
                progress.progress(min(1.0, step.share), text=step.text)
                drawn_at = time.monotonic()
        place.empty()
        _keep(run)
    except SlimVizError as error:
        st.session_state.pop(RUNNING, None)
        st.error(theme.plain(str(error)))


def _keep(run: LiveRun) -> None:
    """Put a run's rows among the session's results."""
    st.session_state.pop(RUNNING, None)
    rows = run.rows()
    if rows:
        runs = st.session_state.setdefault(RUNS, [])
        runs.append(rows)
        del runs[:-KEPT_RUNS]


def _keep_interrupted() -> None:
    """A run that a click cut short left itself in the session: keep what it had done.

    The click started this script in a thread of its own; the run's may still be busy with its last batch.
    """
    run = st.session_state.get(RUNNING)
    if run is not None:
        run.stop()
        try:
            _keep(run)
        except SlimVizError as error:
            st.error(theme.plain(str(error)))


# Showing


def _show_latest(choice: Choice, rows: Sequence[dict[str, Any]]) -> None:
    stopped = ", stopped early" if rows[0]["status"] == "stopped" else ""
    st.subheader(f"Latest run: {theme.plain(rows[0]['study'])}{stopped}", anchor=False)
    for sentence in (score_sentence(rows), speed_sentence(rows)):
        if sentence:
            st.markdown(sentence)
    st.dataframe(result_table(rows), hide_index=True, width="stretch")
    if rows[0]["study"] == choice.study.name:
        with guard("What is stored with the study"):
            stored = stored_sentence(choice.study, [Variant.parse(row["network"]) for row in rows])
            if stored:
                st.caption(stored)
            if said := sentences.study_sentence(study_title(choice.key, choice.study), choice.study):
                st.caption(theme.plain(said))


def stored_sentence(study: Study, variants: Sequence[Variant]) -> str | None:
    """What the study itself says of these networks, for comparison; None where it says nothing."""
    said = []
    for variant in variants:
        result = study.result(variant)
        if result is not None:
            score = theme.score_text(result.metrics[study.task.main_metric])
            said.append(f"{networks.name(variant).lower()} {score} ({theme.count_text(result.correct, result.count)})")
    if not said:
        return None
    metric = theme.plain(metric_name(study.task.main_metric))
    return f"Stored with the study, {metric} on its whole validation split: {theme.plain(theme.listing(said))}."


def network_name(row: dict[str, Any]) -> str:
    """A row's network as a sentence begins with it."""
    return networks.name(Variant.parse(row["network"]))


def metric_name(metric: str) -> str:
    """A metric's name inside a sentence: "accuracy", "MCC", "Pearson"."""
    return metric if metric in SHARES else METRIC_TITLES.get(metric, metric)


def metric_text(row: dict[str, Any]) -> str:
    """A row's main metric with its count: "0.922 accuracy (118/128 right)"."""
    count = f" ({row['correct']}/{row['examples']} right)" if row["correct"] is not None else ""
    return f"{theme.score_text(row[row['metric']])} {metric_name(row['metric'])}{count}"


def interval_text(row: dict[str, Any]) -> str:
    """A difference with its interval: "−2.3 points, 95% interval −6.3 to +1.6"."""
    low, high = theme.points_text(row["low"]), theme.points_text(row["high"])
    return f"{theme.points_text(row['difference'])} points, 95% interval {low} to {high}"


def score_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """What the networks got right, on what, as Markdown; None where nothing was answered."""
    if "metric" not in rows[0]:
        return None
    first = rows[0]
    of = f" of {first['examples_available']:,}" if first["examples"] < first["examples_available"] else ""
    where = f"On {first['examples']:,}{of} examples of {theme.plain(first['data'])}: "
    said = [f"{network_name(row).lower()} reaches **{theme.plain(metric_text(row))}**" for row in rows]
    sentence = where + theme.listing(said)
    if "difference" in rows[-1]:
        sentence += f" ({interval_text(rows[-1])})"
    return f"{sentence}. Always the most frequent answer would score {theme.score_text(first['floor'])}."


def speed_sentence(rows: Sequence[dict[str, Any]]) -> str | None:
    """How fast the networks were, on what, as Markdown; None where nothing was timed."""
    if "median_ms" not in rows[0]:
        return None
    first, last = rows[0], rows[-1]
    length = "the real texts" if first["length"] == REAL else f"texts of {first['length']} tokens"
    device = networks.device_title(first["device"])
    threads = f", {theme.thread_text(first['threads'])}" if device == "CPU" else ""
    where = f"{device}{threads}, batch {first['batch']}, {length}, {first['timed_batches']} batches timed"
    times = [f"{network_name(row).lower()} takes {theme.milliseconds_text(row['median_ms'])}" for row in rows]
    sentence = f"A batch ({where}): " + theme.listing(times) + " in the median"
    if len(rows) == 2 and last.get("speedup"):
        sentence += f", so slim is **{theme.times_text(last['speedup'])}** as fast"
    return sentence + "."


def rate_text(rate: float | None) -> str:
    """Texts a second, without false precision."""
    return theme.UNKNOWN if rate is None else f"{rate:.1f}" if rate < 10 else f"{rate:,.0f}"


def result_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One line a network, as printed."""
    lines = []
    for row in rows:
        line: dict[str, str] = {"Network": network_name(row)}
        if "metric" in row:
            for metric, title in METRIC_TITLES.items():
                if metric in row:
                    line[title] = theme.score_text(row[metric])
            line["Right"] = theme.count_text(row["correct"], row["examples"])
            line["Against the teacher"] = interval_text(row) if "difference" in row else theme.UNKNOWN
            line["Retention"] = theme.percent_text(row.get("retention"))
            line["Retention above floor"] = theme.percent_text(row.get("retention_above_floor"))
        line["Median"] = theme.milliseconds_text(row.get("median_ms"))
        line["95th percentile"] = theme.milliseconds_text(row.get("p95_ms"))
        line["Texts a second"] = rate_text(row.get("texts_per_second"))
        line["Speed-up"] = theme.times_text(row.get("speedup"))
        lines.append(line)
    return pd.DataFrame(lines)


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
