"""Trade-offs: structural or sparse? What networks score against what they store, compute and take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from pruning.methods.registry import METHODS
from pruning.published import Published
from pruning.study import Study
from slimviz import loaders, theme
from slimviz import tradeoffs_in_words as words
from slimviz.charts.tradeoff_chart import CLICK, Frames, Sides, tradeoff_chart, tradeoff_legend
from slimviz.frames import axes
from slimviz.frames.axes import AXES, MEASURES, Axis
from slimviz.frames.budgets import budgets, default_budget
from slimviz.frames.measured import TEACHER_KEY, Point
from slimviz.frames.provenance import is_own
from slimviz.frames.results import study_title, summarise
from slimviz.frames.tradeoff_rows import network_rows, published_rows
from slimviz.frames.tradeoffs import CUT, OWN_METHODS, comparable, points_of, siblings
from slimviz.state import NONE, Parsed, parse_choices
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_study
from slimviz.widgets.difference_card import show_difference
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.frame import begin, warn_of_teacher
from slimviz.widgets.guard import guard
from slimviz.widgets.navigation import link

USUAL = "usual"  # how the URL names the methods that a page opens with: all that were more than cut
CHART = "tradeoffs"
LEAST_MS, MOST_MS = 0.01, 100_000.0


@dataclass(frozen=True)
class View:
    """What the page shows of one study.

    Attributes:
        study: the study.
        title: as printed.
        axis: the lower one.
        measure: the upright one.
        points: all that is chosen, whether it has a place on both axes or not.
        published: of this task.
        most: the milliseconds budget; None where the axis is none of milliseconds.
    """

    study: Study
    title: str
    axis: Axis
    measure: str
    points: Sequence[Point]
    published: Sequence[Published]
    most: float | None


def render() -> None:
    """Draw the page."""
    library = begin("tradeoffs")
    bar = st.columns([3, 3, 3, 2, 2], vertical_alignment="bottom")
    with bar[0]:
        key = choose_study(library)
    study = library.studies[key]
    results, problems = loaders.rivals(study.task.name) if not is_own(study.task) else ((), ())
    for problem in problems:
        st.warning(theme.plain(f"A result of a sweep cannot be shown: {problem}"))
    with guard(f"What is stored of {study_title(key, study)}"):
        swept = comparable(study, results)
        points = points_of(siblings(key, library.studies), swept)
        view = _choose_view(bar, key, study, points)
        if stored := budgets(study):
            warn_of_teacher(summarise(key, study, default_budget(stored)))
        _explore(view, len(swept), len(results) - len(swept))


def _choose_view(bar: Sequence[Any], key: str, study: Study, points: Sequence[Point]) -> View:
    """Axes, methods and the milliseconds budget; in the URL as `x`, `y`, `methods`, `published`, `ms-1`, `ms-32`."""
    with bar[1]:
        name = parameters.choose(
            st.selectbox,
            "Across: cost",
            "x",
            list(AXES),
            what="axis",
            format_func=lambda name: AXES[name].title,
            help=axes.AXES_HELP,
        )
    axis = AXES[name]
    with bar[2]:
        metric = study.task.metric_title()
        titles = {**MEASURES, "metric": metric}
        options = axes.measures(study.task)
        measure = parameters.choose(
            st.selectbox, "Up: score", "y", options, what="measure", format_func=lambda name: titles.get(name, name)
        )
    with bar[3]:
        most = _choose_budget(axis, points)
    with bar[4], st.popover("Methods", width="stretch"):
        shown = _choose_methods(points)
        rows = axes.published_of(loaders.published(), study.task)
        has_published = False
        if rows:
            choice = parameters.choose(
                st.segmented_control, "Published figures", "published", ("shown", "hidden"), required=True
            )
            has_published = choice == "shown"
    return View(study, study_title(key, study), axis, measure, shown, rows if has_published else (), most)


def _choose_budget(axis: Axis, points: Sequence[Point]) -> float | None:
    """At most so many milliseconds; opens with a quarter of the teacher's."""
    if axis.batch is None:
        return None
    known = [cost for point in points if (cost := point.cost(axis.name))]
    fallback = float(f"{max(known, default=4.0) / 4:.2g}")
    return parameters.choose_number(
        "At most, in ms",
        axis.name,
        lowest=LEAST_MS,
        highest=MOST_MS,
        fallback=min(max(fallback, LEAST_MS), MOST_MS),
        what="Milliseconds",
        step=float(f"{max(fallback / 10, LEAST_MS):.1g}"),
        format="%g",
    )


def _choose_methods(points: Sequence[Point]) -> list[Point]:
    """The networks of the methods that are chosen, and the teachers."""
    titles = {point.method.key: point.method.title for point in points if not point.method.is_teacher}
    keys = list(titles)
    known = {*keys, *OWN_METHODS, *METHODS, *(f"{name}-swept" for name in METHODS)}

    usual = [key for key in keys if not key.endswith(CUT)] or keys

    def parse(raw: str | None) -> Parsed[list[str]]:
        wanted = set() if raw in (None, USUAL) else set((raw or "").split(","))
        if wanted <= known:  # what another study has and this one lacks is no mistake
            return Parsed([key for key in keys if key in wanted] or usual)
        return parse_choices("method", raw, keys, usual)

    chosen = keys and parameters.choose_several(
        "Methods",
        "methods",
        keys,
        fallback=usual,
        what="method",
        parse=parse,
        to_text=lambda value: USUAL if list(value) == usual else ",".join(value),
        format_func=lambda key: titles.get(key, key),
    )
    return [point for point in points if point.method.is_teacher or point.method.key in chosen]


@st.fragment
def _explore(view: View, compared: int, left_out: int) -> None:
    """Everything that follows a click on a network; only this part runs again.

    Args:
        view: what is shown.
        compared: results of a sweep that are among its points.
        left_out: results that do not compare with the study.
    """
    task, axis, measure = view.study.task, view.axis, view.measure
    drawn = axes.drawable(view.points, axis, measure)
    sentence = words.headline(drawn, axis, measure, task, view.title)
    st.markdown(f"**{theme.plain(sentence)}**")
    if not is_own(task) and (said := words.rivals_sentence(compared, left_out, task.title)):
        st.caption(theme.plain(said) if left_out else f"{theme.plain(said)} `{words.RIVALS}`")
    left, right = st.columns([8, 5], gap="medium")
    with right, st.container(border=True, key="difference-card"), guard("The difference"):
        chosen = _choose_pair(view)
        by_name = {point.name: point for point in view.points}
        show_difference(by_name.get(chosen[0]), by_name.get(chosen[1]), task)
    downloads = Downloads("tradeoffs")
    with left, guard("The chart"):
        if drawn:
            _chart(view, drawn, chosen, sentence, downloads)
        _notes(view, drawn)
    with guard("The table"):
        _tables(view)
    downloads.offer()


def _choose_pair(view: View) -> tuple[str, str]:
    """The two networks of the card, in the URL as `a` and `b`: the teacher and the default budget at first."""
    titles = {point.name: words.point_title(point) for point in view.points}
    options = [NONE, *titles]
    first = next((name for name in titles if name.endswith(TEACHER_KEY)), NONE)
    stored = budgets(view.study)
    wanted = str(view.study.final(default_budget(stored))) if stored else NONE
    second = wanted if wanted in titles else NONE
    pair = []
    for column, letter, fallback in zip(st.columns(2), "ab", (first, second), strict=True):
        with column:
            pair.append(
                parameters.choose(
                    st.selectbox,
                    letter.upper(),
                    letter,
                    options,
                    fallback=fallback,
                    what="network",
                    format_func=lambda name: titles.get(name, "none"),
                )
            )
    return pair[0], pair[1]


def _chart(view: View, drawn: Sequence[Point], chosen: tuple[str, str], sentence: str, downloads: Downloads) -> None:
    """All networks that have a place, and what their marks mean."""
    task, axis, measure, palette = view.study.task, view.axis, view.measure, current_palette()
    published = axes.published_frame(view.published, axis, measure, task)
    points = axes.point_frame(drawn, axis, measure, task)
    steps = axes.frontiers(drawn, axis, measure).values()
    frames = Frames(
        points,
        axes.seed_frame(drawn, axis, measure, task),
        published,
        [[point.name for point in step] for step in steps],
    )
    is_score = measure == "metric"
    floor = view.study.document.floor[task.main_metric]
    sides = Sides(
        x=axis.words,
        y=axes.measure_title(task, measure),
        is_time=axis.batch is not None,
        y_format=".2f" if is_score and task.is_labelled else ".0%",
        most=view.most,
        floor=floor if is_score else 0.0 if measure == "above" else None,
    )
    letters = words.letters_of(chosen)
    downloads.draw(
        f"{view.title}, {axes.measure_title(task, measure)} against {axis.title}",
        tradeoff_chart(frames, sides, letters, palette),
        points,
        for_files=lambda: tradeoff_chart(frames, sides, letters, palette, has_legend=True),
        width="stretch",
        key=CHART,
        on_select=_pick,
        alt=f"{sides.y} against {sides.x}. {sentence}",
    )
    st.html(tradeoff_legend(points, palette, has_published=len(published) > 0))


def _pick() -> None:
    """A click on a network: onto the card, in place of the one that came first; a second click takes it off."""
    clicked = parameters.clicked(CHART, CLICK)
    if clicked is None:
        return
    name, first, second = clicked["name"], parameters.read("a") or NONE, parameters.read("b") or NONE
    if name == first:
        parameters.change(a=NONE)
    elif name == second:
        parameters.change(b=NONE)
    elif first == NONE:
        parameters.change(a=name)
    elif second == NONE:
        parameters.change(b=name)
    else:
        parameters.change(a=second, b=name)


def _notes(view: View, drawn: Sequence[Point]) -> None:
    """What the budget allows, and what must not be read into the chart."""
    task, axis, measure = view.study.task, view.axis, view.measure
    if view.most is not None and drawn:
        if several := words.machines_sentence(drawn):
            st.markdown(f":material/warning: {theme.plain(several)}")
        for said in words.within_budget(drawn, axis, measure, task, view.most):
            st.markdown(theme.plain(said))
        link("live", "These times are that machine's: measure yours", study=parameters.read("study") or view.study.name)
    if said := words.teachers_sentence(drawn, measure, task):
        st.markdown(f":material/warning: {theme.plain(said)}")
    for said in (words.swept_times_sentence(drawn, axis), words.steps_sentence(drawn)):
        if said:
            st.caption(theme.plain(said))
    shown = {point.name for point in drawn}
    if said := words.missing_sentence([point for point in view.points if point.name not in shown], axis):
        st.caption(theme.plain(said))
    fitting = len(axes.published_frame(view.published, axis, "kept", task))
    if said := words.published_sentence(len(view.published), fitting, measure, task.title):
        st.caption(theme.plain(said))


def _tables(view: View) -> None:
    """All of it as tables, to read, sort and download."""
    title = view.study.task.title
    with st.expander("The same as a table"):
        st.dataframe(network_rows(view.points, view.study.task), hide_index=True, alt="Every network that is chosen")
        if view.published:
            st.markdown(f"Published figures for {theme.plain(title)}, of BERT-base and its authors' training")
            alt = f"Every published figure for {title}"
            st.dataframe(published_rows(view.published), hide_index=True, alt=alt)
