"""Advice: which stored network fits somebody's limits, why the others do not, and what to run next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from pruning.advice import Limits, Option, Own, Ranked, called, options_of, plan, rank, words
from pruning.cli.options import PROGRAM
from pruning.runtimes.stored import StoredProfile
from pruning.study import Study
from slimviz import loaders, theme
from slimviz.frames.results import study_title
from slimviz.loaders import Library
from slimviz.widgets import parameters
from slimviz.widgets.choices import choose_study
from slimviz.widgets.frame import begin
from slimviz.widgets.guard import guard
from slimviz.widgets.navigation import link

STORED, LABELLED, UNLABELLED = "stored", "labelled", "unlabelled"
DATA = {
    STORED: "nothing: a stored network will do",
    LABELLED: "texts with labels",
    UNLABELLED: "a classifier, and texts without labels",
}
FIRST_CELL = (1, 32)  # texts, tokens
EXAMPLE = Limits(ms=5, mb=10, points=2)  # what the page opens with, to show what it is for
MOST = 1e6  # of anything that is limited


def render() -> None:
    """Draw the page."""
    library = begin("advice")
    bar = st.columns([3, 2, 3, 2, 2, 2], vertical_alignment="bottom")
    with bar[0]:
        key = choose_study(library)
    study = library.studies[key]
    profiles, problems = loaders.profiles()
    for problem in problems:
        st.warning(theme.plain(f"A profile cannot be used: {problem}"))
    with guard(f"What is stored of {study_title(key, study)}"):
        options = _options(study, library, profiles)
        limits = _choose_limits(bar[1:], options)
        own = _choose_data()
        (ranked,) = rank(options, limits, PROGRAM)
        if own is not None:
            _own_data(own, limits, options, study_title(key, study))
        _answer(ranked, limits, has_commands=own is None)
        _table(ranked, limits)
        st.caption(theme.plain(words.machine_sentence(options, limits)))
        with st.container(horizontal=True, gap="medium"):
            link("live", "Measure it on this machine", study=key)
            link("tradeoffs", "See all networks of this task", study=key)


def _options(study: Study, library: Library, profiles: Sequence[StoredProfile]) -> list[Option]:
    """The study's networks, and those of others that were scored on the same rows of the same task."""
    own = study.document.provenance.data.validation.sha256
    alike = [
        other
        for other in library.studies.values()
        if other is not study and other.task == study.task and other.document.provenance.data.validation.sha256 == own
    ]
    return [option for one in (study, *alike) for option in options_of(one, called(one), PROGRAM, profiles)]


# Choosing


def _choose_limits(bar: Sequence[Any], options: Sequence[Option]) -> Limits:
    """In the URL as `ms`, `timed`, `mb`, `memory` and `points`."""
    with bar[0]:
        ms = parameters.choose_limit(
            "At most ms", "ms", lowest=0.01, highest=MOST, what="Milliseconds", fallback=EXAMPLE.ms, format="%g"
        )
    with bar[1]:
        batch, length = _choose_cell(options)
    with bar[2]:
        mb = parameters.choose_limit(
            "At most MB on disk", "mb", lowest=0.01, highest=MOST, what="Megabytes", fallback=EXAMPLE.mb, format="%g"
        )
    with bar[3]:
        memory = parameters.choose_limit(
            "At most MB of memory", "memory", lowest=1.0, highest=MOST, what="Megabytes of memory", format="%g"
        )
    with bar[4]:
        points = parameters.choose_limit(
            "At most points lost",
            "points",
            lowest=0.0,
            highest=100.0,
            what="Points",
            fallback=EXAMPLE.points,
            format="%g",
            help="The most that the metric may fall against the teacher's: from 0.885 to 0.865 is 2 points.",
        )
    return Limits(ms=ms, batch=batch, length=length, mb=mb, memory_mb=memory, points=points)


def _choose_cell(options: Sequence[Option]) -> tuple[int, int]:
    """Which of the timed batches and lengths milliseconds are of; texts, tokens."""
    timed = {(time.batch, time.length) for option in options for time in option.times}
    cells = {f"{batch}x{length}": (batch, length) for batch, length in sorted(timed or {FIRST_CELL})}
    first = "{}x{}".format(*FIRST_CELL)

    def title(name: str) -> str:
        batch, length = cells.get(name, FIRST_CELL)
        return f"{'one text' if batch == 1 else f'{batch} texts at once'}, {length} tokens"

    fallback = first if first in cells else next(iter(cells))
    return cells[
        parameters.choose(st.selectbox, "Timed with", "timed", list(cells), fallback=fallback, format_func=title)
    ]


def _choose_data() -> Own | None:
    """What there is to learn from, in the URL as `data` and `texts`; None where a stored network will do."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        data = parameters.choose(
            st.radio,
            "Your own data",
            "data",
            list(DATA),
            format_func=lambda name: DATA.get(name, name),
            horizontal=True,
        )
        if data == STORED:
            return None
        count = parameters.choose_number(
            "How many texts", "texts", lowest=1.0, highest=1e9, fallback=3000.0, what="Texts", format="%g", width=160
        )
    return Own(texts=int(count), is_labelled=data == LABELLED)


# Showing


def _own_data(own: Own, limits: Limits, options: Sequence[Option], title: str) -> None:
    """What to run on one's own texts; the stored networks below say what size keeps within the limits."""
    made = plan(own, limits, options, PROGRAM)
    with st.container(border=True):
        st.markdown("**For your own texts**")
        st.markdown(theme.plain(" ".join(made.reasons)))
        for caution in made.cautions:
            st.caption(f":material/warning: {theme.plain(caution)}")
        if made.command is not None:
            st.code(made.command, language="bash", wrap_lines=True)
    st.caption(f"Sizes are judged by the stored networks of {theme.plain(title)}:")


def _answer(ranked: Ranked, limits: Limits, *, has_commands: bool) -> None:
    """The best network, or the nearest, and where wanted the commands."""
    options = ranked.options

    def name(option: Option) -> str:
        return _name(option) + words.setting_text(option, options, limits)

    if not ranked.fitting:
        st.markdown(f"**{theme.plain(words.nearest_sentence(ranked, name))}**")
        if ranked.trial is not None and has_commands:
            st.markdown(theme.plain(words.TRIAL))
            st.code(ranked.trial, language="bash", wrap_lines=True)
        return
    best = ranked.fitting[0]
    ms, size, memory = words.cost_texts(best, limits)
    costs = f"time {ms}, on disk {size}, memory {memory}"
    difference = words.difference_text(best, limits)
    against = difference if best.variant.is_teacher else f"against the teacher {difference}"
    said = theme.plain(f"{best.metric} {words.score_text(best)}; {against}; {costs}.")
    st.markdown(f"**The best score within these limits: {theme.plain(name(best))}.** {said}")
    for command, then in ranked.next_steps if has_commands else ():
        is_export = any(option.command == command and option.is_stored for option in ranked.fitting)
        st.caption(
            "Run next; this writes it for others to load:"
            if is_export and best.is_stored
            else "The best one whose weights are stored:"
            if is_export
            else "Its weights are not stored. This makes the study again, and stores them:"
        )
        st.code(command, language="bash", wrap_lines=True)
        if then is not None:
            st.caption(f"Then, once it is loaded: `{then}`")


def _table(ranked: Ranked, limits: Limits) -> None:
    """Every network, those that fit first, and why the others do not."""
    options = ranked.options
    reasons = ["" for _ in ranked.fitting] + [one.reasons[0].text for one in ranked.others]
    several, has_machines = len({option.study for option in options}) > 1, len(words.machines(options, limits)) > 1
    rows = []
    for place, (option, reason) in enumerate(zip(options, reasons, strict=True), start=1):
        ms, size, memory = words.cost_texts(option, limits)
        rows.append(
            {
                "Place": theme.CUT_MARK if reason else str(place),
                "Network": f"{_name(option)} of {option.study}" if several else _name(option),
                "Runtime": words.runtime_title(option),
                "Why not": reason,
                option.metric: words.score_text(option),
                "Against the teacher": words.difference_text(option, limits),
                "Time": ms,
                "On disk": size,
                "Memory": memory,
                "Weights": "stored" if option.is_stored else "not stored",
                **({"Timed on": words.machine_text(option, limits)} if has_machines else {}),
            }
        )
    frame = pd.DataFrame(rows)
    alt = f"{len(ranked.fitting)} of {len(options)} ways to run {ranked.task} fit; each with its numbers and why not"
    st.dataframe(frame, hide_index=True, width="stretch", alt=alt)


def _name(option: Option) -> str:
    """A network as printed."""
    variant = option.variant
    if variant.is_teacher:
        return "the teacher"
    return f"slim, {theme.budget_title(variant.budget or '')}" if variant.method == "slim" else variant.name
