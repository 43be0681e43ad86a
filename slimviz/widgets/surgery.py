"""Head surgery on Playground: heads cut from either network by hand, and what it then says, scores and takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from pruning.bert.shapes import Masks
from pruning.data.examples import Examples
from slimviz import loaders, surgery_in_words, theme
from slimviz.charts.head_map import CLICK, surgery_map
from slimviz.charts.scales import RANK_BOUNDS
from slimviz.frames.heads import HeadStudy, criteria, head_frame, opening_criterion
from slimviz.frames.results import study_title
from slimviz.frames.surgery import Head, effect, surgery_frame
from slimviz.live import surgery
from slimviz.live.answers import Answer, predict
from slimviz.live.networks import Network, load_networks, version
from slimviz.live.surgery import Cut
from slimviz.state import NONE, format_heads, parse_heads
from slimviz.widgets import networks, parameters
from slimviz.widgets.answer import bars, said_by, speed_sentence
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.guard import guard
from slimviz.widgets.networks import Choice

ANSWERED = "surgery:answered"  # session: what was asked of which networks, and the answers


@dataclass(frozen=True)
class _Case:
    """One network under the knife.

    Attributes:
        network: with all its heads.
        cut: what the visitor cut.
        place: where its results go.
    """

    network: Network
    cut: Cut
    place: Any


@st.fragment
def show_surgery(choice: Choice, texts: Sequence[str], examples: Examples | None) -> None:
    """Maps of both networks' heads to cut and restore; in the URL as `cut` and `cut-slim`. Only this part runs again.

    Args:
        choice: whose networks.
        texts: what they are asked.
        examples: labelled ones to score them on; None where there are none.
    """
    st.subheader("Cut a head", anchor=False)
    with guard("Head surgery"):
        loaded, _ = load_networks(choice.study, choice.variants)  # the page has said what does not load
        whole = [surgery.whole(choice.study, network) for network in loaded]
        st.caption(theme.plain(surgery_in_words.TRUTH))
        downloads, ranked = Downloads("surgery"), _ranked(choice)
        there = [surgery.heads_in(network) for network in whole]
        removed = () if len(whole) < 2 else tuple(head for head in there[0] if head not in there[1])
        cases = []
        for column, network in zip(st.columns(len(whole), gap="medium"), whole, strict=True):
            with column:
                cut = _choose(choice, network, ranked, removed, downloads)
                cases.append(_Case(network, cut, st.container()))
        _answer(choice, [case for case in cases if case.cut], texts, examples)
        downloads.offer()


def _ranked(choice: Choice) -> pd.DataFrame | None:
    """The study's heads by importance, as Heads opens with; None where nothing ranks them."""
    study, budget = choice.study, choice.variants[-1].budget
    with guard("The importance of heads"):
        masks = Masks.full(study.shape) if budget is None else loaders.masks(study, budget)
        title = study_title(choice.key, study)
        shown = [HeadStudy(choice.key, title, loaders.factors(study), masks, study.head_criterion)]
        if criteria(shown):
            return head_frame(shown, opening_criterion(shown), "rank")
    return None


def _choose(choice: Choice, network: Network, ranked: pd.DataFrame | None, removed: Cut, downloads: Downloads) -> Cut:
    """The map of a network's heads, and what is cut of them."""
    is_teacher, name = network.variant.is_teacher, networks.name(network.variant)
    parameter = "cut" if is_teacher else "cut-slim"
    there = surgery.heads_in(network)
    whose = f"{name[0].lower()}{name[1:]}"
    st.markdown(f"**{name}**")
    cut: Cut = ()
    if parameters.read(parameter) not in (None, NONE):
        cut = parameters.resolve(parameter, lambda raw: parse_heads(raw, there, whose), format_heads)
    words = surgery_in_words.cut_sentence(cut, len(there))
    frame, chart = surgery_frame(choice.study.shape, there, cut, ranked), f"surgery-{parameter}-{choice.key}"
    downloads.draw(
        f"Heads of {whose}",
        surgery_map(frame, RANK_BOUNDS, current_palette()),
        frame,
        width="stretch",
        key=chart,
        on_select=lambda: _click(chart, parameter, there),
        alt=f"{name}: heads by layer. {words}",
    )
    st.markdown(theme.plain(words))
    box = f"{chart}-box"
    st.selectbox(
        f"Cut or restore a head of {whose}",  # two boxes of one name could not be told apart by ear
        there,
        index=None,
        key=box,
        placeholder="choose one, or click it above",
        format_func=lambda head: f"{theme.head_title(*head)}{' (cut)' if head in cut else ''}",
        on_change=lambda: _pick(box, parameter, there),
    )
    with st.container(horizontal=True, gap="small"):
        if cut:
            st.button("Restore all", key=f"{chart}-all", on_click=parameters.change, kwargs={parameter: NONE})
        if is_teacher and removed and removed != cut:
            label = f"Cut the {len(removed)} heads that slimming removed"
            lost = {parameter: format_heads(removed)}
            st.button(label, key=f"{chart}-removed", on_click=parameters.change, kwargs=lost)
    return cut


def _click(chart: str, parameter: str, there: Collection[Head]) -> None:
    """A click on a map."""
    cell = parameters.clicked(chart, CLICK)
    if cell is not None:
        _toggle(parameter, there, (cell["layer"] - 1, cell["head"] - 1))


def _pick(box: str, parameter: str, there: Collection[Head]) -> None:
    """A choice in the box, which then stands empty again."""
    head = st.session_state[box]
    st.session_state[box] = None
    if head is not None:
        _toggle(parameter, there, head)


def _toggle(parameter: str, there: Collection[Head], head: Head) -> None:
    """Cut a head, or restore it; one that is not there stays away."""
    if head in there:
        cut = set(parse_heads(parameters.read(parameter), there, "").value)
        parameters.change(**{parameter: format_heads(cut ^ {head})})


# What it changes


def _answer(choice: Choice, cases: Sequence[_Case], texts: Sequence[str], examples: Examples | None) -> None:
    """What networks say without the heads cut: to the text first, then to the examples."""
    task, colours = choice.study.task, current_palette()
    copies = [surgery.operated(choice.study, case.network, case.cut) for case in cases]
    answers = _ask(choice, cases, copies, texts)
    scores = []
    for case, (before, after) in zip(cases, answers, strict=True):
        with case.place, st.container(border=True):
            st.markdown(f"Now {said_by(task, after)}; with all heads {said_by(task, before)}.")
            colour = colours.teacher if case.network.variant.is_teacher else colours.slim
            st.html(bars(task, after, colour, colours.grid))
            st.caption(speed_sentence(before, after, "Without what is cut, it"))
            scores.append(st.empty())
    if examples is None:
        return
    for score in scores:  # what stands there is of other heads
        score.caption(f"Asking {len(examples)} examples of the probe set …")
    for case, copy, score in zip(cases, copies, scores, strict=True):
        before = after = None
        for before in surgery.answered(choice.study, case.network, (), examples):
            score.caption(f"Asked {len(before)} of {len(examples)} examples of the probe set, with all heads …")
        for after in surgery.answered(choice.study, copy, case.cut, examples):
            score.caption(f"Asked {len(after)} of {len(examples)} examples of the probe set, without what is cut …")
        if before is not None and after is not None:
            said = surgery_in_words.effect_sentence(effect(task, before, after, examples.labels))
            score.markdown(f"**On the probe set:** {theme.plain(said)}")


def _ask(
    choice: Choice, cases: Sequence[_Case], copies: Sequence[Network], texts: Sequence[str]
) -> list[tuple[Answer, Answer]]:
    """Each network's answer with all heads and without those cut, timed in turns; asked once for what is cut."""
    if not cases:
        return []
    cuts = tuple((case.network.variant, case.cut) for case in cases)
    question = (str(choice.study.folder), version(choice.study), cuts, tuple(texts))
    asked = st.session_state.get(ANSWERED)
    if asked is None or asked[0] != question:
        pairs = zip(cases, copies, strict=True)
        found = predict([network for case, copy in pairs for network in (case.network, copy)], *texts)
        asked = st.session_state[ANSWERED] = (question, list(zip(found[::2], found[1::2], strict=True)))
    return asked[1]
