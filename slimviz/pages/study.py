"""Study: can I trust it? What one study's numbers mean, where they come from and end, and the files they rest on."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pruning import study as store
from pruning.study import Study
from pruning.study.files import DOCUMENT_FILE, FACTORS_FILE, HISTORY_FILE, MASKS_FILE, read_bytes
from slimviz import loaders, study_in_words, theme
from slimviz.charts.history_curve import history_curve
from slimviz.frames import account
from slimviz.frames.budgets import budgets
from slimviz.frames.history import curve_frame, stage_title, trained_stages
from slimviz.frames.provenance import description_text
from slimviz.frames.results import study_title, summarise
from slimviz.frames.tidy import groups
from slimviz.report import Contents, report
from slimviz.state import Parsed, parse_choice, quoted
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_budget, choose_study
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.frame import begin, warn_of_teacher
from slimviz.widgets.guard import guard

CHECKED = "study:checked"  # session: what the checksums were found to be, of which study as it then was
CHARTS_A_ROW = 3
ALIVE = 0.05  # above it a unit counts as alive while slimming; see `pruning.bert.slim_layer.surviving_share`
FILES = {
    DOCUMENT_FILE: "application/json",
    HISTORY_FILE: "application/jsonl",
    FACTORS_FILE: "application/octet-stream",
    MASKS_FILE: "application/octet-stream",
}


def render() -> None:
    """Draw the page."""
    library = begin("study")
    left, right = st.columns(2)
    with left:
        key = choose_study(library)
    study = library.studies[key]
    title, offered = study_title(key, study), budgets(study)
    budget = None
    with right:
        if offered:
            budget = choose_budget(offered)
    st.caption(theme.plain(description_text(study)))
    left, right = st.columns(2, gap="medium")
    with left, guard("What its numbers mean"):
        _meanings(key, study, budget)
    with right, guard("Where they come from"):
        _provenance(study)
    with guard("How it was trained"):
        _curves(study, title)
    with guard("Its files"):
        _files(study)
    left, right = st.columns(2, gap="medium")
    with left, guard("Where this ends"):
        st.subheader("Where this ends", anchor=False)
        st.markdown("\n".join(f"- {theme.plain(limit)}" for limit in study_in_words.limits(study, title)))
    with right, guard("What can be taken along"):
        _repeat(study)
        _downloads(key, study, budget)


def _meanings(key: str, study: Study, budget: str | None) -> None:
    """Each number in plain words, with its value at the chosen budget."""
    st.subheader("What its numbers mean", anchor=False)
    if budget is None:
        st.info("This study holds no slim network yet, so there is nothing to compare its teacher with.")
        return
    row = summarise(key, study, budget)
    warn_of_teacher(row)
    said = study_in_words.meanings(study, row)
    st.markdown("\n".join(f"- **{theme.plain(word)}**: {theme.plain(meaning)}" for word, meaning in said))


def _provenance(study: Study) -> None:
    """Where the numbers come from, how long each stage took, and every setting."""
    st.subheader("Where they come from", anchor=False)
    rows = account.provenance_rows(study)
    said = [*rows, ("Time", account.stage_sentence(study))]
    st.markdown("\n".join(f"- **{what}**: {theme.plain(text)}" for what, text in said))
    with st.expander("Minutes of each stage, and every setting"):
        left, right = st.columns([2, 3])
        left.dataframe(account.stage_rows(study), hide_index=True, alt="Minutes of each stage")
        right.dataframe(account.setting_rows(study), hide_index=True, alt="Every setting of the study")


def _curves(study: Study, title: str) -> None:
    """What training reported of one stage, a small chart a measure, all over the same steps."""
    st.subheader("How it was trained", anchor=False)
    history = loaders.history(study)
    stages = trained_stages(history)
    if not stages:
        st.info("Training reported nothing that could be drawn.")
        return
    stage = parameters.choose(
        st.selectbox,
        "Stage",
        "stage",
        stages,
        parse=lambda raw: _parse_stage(raw, stages, title),
        format_func=stage_title,
    )
    frame = curve_frame(history, stage)
    frame["text"] = [
        study_in_words.value_words(measure, value)
        for measure, value in zip(frame["measure"], frame["value"], strict=True)
    ]
    by_measure = [part for _, part in groups(frame, "measure")]
    said = [study_in_words.curve_sentence(part) for part in by_measure if not study_in_words.is_curve(part)]
    if said:
        st.markdown(theme.plain(" ".join(said)))
    downloads = Downloads("study")
    drawn, last_step = [part for part in by_measure if study_in_words.is_curve(part)], max(frame["step"].tolist())
    for start in range(0, len(drawn), CHARTS_A_ROW):
        row = drawn[start : start + CHARTS_A_ROW]
        for column, part in zip(st.columns(CHARTS_A_ROW, gap="medium"), row, strict=False):
            with column:
                _curve(part, last_step, downloads)
    if {"task", "logits", "hidden", "penalty"} & set(frame["measure"]):
        st.caption(
            "Loss: mean since the report before, the sum of its parts. Parts: of the reported step alone, each with "
            "the weight that it has in the loss."
        )
    if "alive" in set(frame["measure"]):
        st.caption(f"Alive: units whose importance factor is above {ALIVE:g}.")
    with st.expander("The same as a table"):
        table = frame.pivot_table(index="step", columns="title", values="value", sort=False).sort_index()
        st.dataframe(table, alt=f"What training reported: {stage_title(stage)}")
    downloads.offer()


def _curve(curve: pd.DataFrame, last_step: float, downloads: Downloads) -> None:
    sentence = study_in_words.curve_sentence(curve)
    st.markdown(theme.plain(sentence))
    title = f"{curve['title'].iloc[0]} by step"
    downloads.draw(title, history_curve(curve, last_step, current_palette()), curve, width="stretch", alt=sentence)


def _parse_stage(raw: str | None, stages: Sequence[str], title: str) -> Parsed[str]:
    """A stage of this study; one that another study has stays wanted there."""
    found = parse_choice("stage", raw, stages, stages[0])
    if found.problem is None:
        return found
    reason = f"{theme.plain(title)} has no stage {quoted(raw or '')}; showing {theme.plain(stages[0])}."
    return Parsed(stages[0], reason, wanted=raw)


def _files(study: Study) -> None:
    """Checksums as stored and, once asked for, as they are now."""
    st.subheader("Are the files what was stored?", anchor=False)
    state = (str(study.folder), loaders.version(study))
    if st.button("Compute the checksums again", icon=":material/fact_check:", key="study-verify"):
        with st.spinner("Reading the files …"):
            found = (store.checksums(study.folder, study.document), store.verify(study.folder))
        st.session_state[CHECKED] = (state, *found)
    kept = st.session_state.get(CHECKED)
    if kept is None or kept[0] != state:
        st.caption(
            "Not computed again in this session. It also compares schema, shapes and counts, as "
            "`python -m pruning verify` does."
        )
        rows = account.file_rows(study)
    else:
        _, checked, problems = kept
        sign = ":material/warning:" if problems else ":material/check_circle:"
        st.markdown(f"{sign} {theme.plain(account.checked_sentence(checked, problems))}")
        st.markdown("\n".join(f"- {theme.plain(problem)}" for problem in problems))
        rows = account.file_rows(study, checked)
    with st.expander(f"All {len(rows)} files", expanded=kept is not None and kept[0] == state):
        st.dataframe(rows, hide_index=True, alt="Files of the study with their sizes and checksums")


def _repeat(study: Study) -> None:
    """The command that makes the study anew."""
    st.subheader("Make it again", anchor=False)
    provenance = study.document.provenance
    st.code(provenance.command, language="bash", wrap_lines=True)
    at = f"at commit {provenance.commit}" if provenance.commit else "at the code of its day"
    st.caption(
        theme.plain(
            f"As it was typed, {at}: defaults may have changed since. Needed beside it: the data named above, whose "
            "checksum tells whether they are the same."
        )
    )


def _downloads(key: str, study: Study, budget: str | None) -> None:
    """The files behind all this, what is stored as tables, and all of it as one page."""
    st.subheader("Take it along", anchor=False)
    with st.container(horizontal=True, gap="small"):
        if budget in study.selections:
            _download(study, f"report-{budget}.html", "text/html", lambda: _report(key, study, budget))
        for path, kind in FILES.items():
            _download(study, path, kind, lambda path=path: read_bytes(study.folder, path))
        _download(study, "results.csv", "text/csv", lambda: _csv(account.result_table(study)))
        _download(study, "speed.csv", "text/csv", lambda: _csv(account.speed_table(study)))
    st.caption(
        "The report holds pictures, numbers and limits at the chosen budget, opens anywhere and can be printed. "
        "study.json holds every number; factors and masks are what the selections were made from and what they left."
    )


def _report(key: str, study: Study, budget: str) -> bytes:
    """The study at one budget as a page that needs no server."""
    selection = loaders.selection(study, budget)
    return report(Contents(key, study, budget, selection, loaders.factors(study))).encode()


def _download(study: Study, name: str, kind: str, content: Callable[[], bytes]) -> None:
    """A button; the file is read when it is asked for."""
    st.download_button(
        theme.plain(name),
        content,
        f"{study.name}-{name}",
        kind,
        key=f"download-{name}",
        icon=":material/download:",
        on_click="ignore",
    )


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV, with a column for everything that any of them has."""
    written = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(written, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return written.getvalue().encode()
