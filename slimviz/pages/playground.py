"""Playground: a typed sentence or pair, answered by teacher and slim side by side."""

from __future__ import annotations

import numpy as np
import streamlit as st

from pruning.data.examples import Examples
from pruning.data.sources import load_examples
from pruning.data.tasks import Task
from pruning.errors import DataError, SlimVizError, one_line
from slimviz import theme
from slimviz.frames.provenance import description_text, is_own
from slimviz.frames.results import summarise
from slimviz.live.answers import Answer, predict
from slimviz.live.networks import version
from slimviz.live.runtimes import TORCH
from slimviz.live.typed_text import clean, field_title, is_mostly_other_script
from slimviz.widgets import networks
from slimviz.widgets.answer import bars, footnote, is_timed, label_text, piece_notes, sentence
from slimviz.widgets.attributions import show_attributions
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.flips import show_flips
from slimviz.widgets.frame import warn_of_teacher
from slimviz.widgets.guard import guard
from slimviz.widgets.head_attention import show_head_attention
from slimviz.widgets.networks import Choice
from slimviz.widgets.pinned_head import show_pinned_head
from slimviz.widgets.runtime import choose_runtime
from slimviz.widgets.surgery import show_surgery

EXAMPLES_SHOWN = 8
LONGEST_TITLE = 80  # characters of a column's name above its field
LONGEST_EXAMPLE = 110  # characters a text: what a select box can show
ASKED = "playground:asked"  # session: the texts last asked about
SHOWN = "playground:shown"  # session: what they were asked of, and the answers
OPENED = "playground:opened"  # session: the task and the texts that the page asked about by itself


def render() -> None:
    """Draw the page."""
    choice = networks.choose("playground")
    task = choice.study.task
    st.markdown(f"**{theme.plain(task.title)}:** {theme.plain(description_text(choice.study))}")
    budget = choice.variants[-1].budget
    if budget is not None:
        with guard("The score of this study's teacher"):
            warn_of_teacher(summarise(choice.key, choice.study, budget))
    show_pinned_head(choice.key, choice.study, budget)
    examples = _probe_examples(task)
    if examples is not None:
        _open_with_an_example(task, examples)
        _choose_example(choice, examples)
    _type(choice)
    runtime = choose_runtime()
    asked = st.session_state.get(ASKED, ())
    if len(asked) != len(task.text):
        return
    cleaned = [clean(raw, _title(column)) for raw, column in zip(asked, task.text, strict=True)]
    problems = [text.problem for text in cleaned if text.problem]
    for problem in problems:
        st.warning(theme.plain(problem))
    if problems:
        return
    answers = _ask(choice, [text.text for text in cleaned], runtime)
    notes = [note for text in cleaned for note in text.notes]
    _show(choice, answers, [text.text for text in cleaned], notes, examples)
    if any(answer.is_readable for answer in answers):
        if runtime != TORCH.name:
            st.caption("What words add, what heads look at, and heads cut by hand are computed in torch.")
        read = [text.text for text in cleaned]
        downloads = Downloads("playground")
        show_attributions(choice, read, downloads)
        show_head_attention(choice, read, downloads)
        downloads.offer()
        show_surgery(choice, read, examples)
    if examples is not None and len(answers) == 2:
        show_flips(choice, examples, lambda number: _ask_about(task, _example_texts(examples, number)))


# Asking


def _probe_examples(task: Task) -> Examples | None:
    try:
        return load_examples(task, task.validation[0], "probe")
    except DataError:
        return None  # no probe set for this task: typing is all there is


def pick(examples: Examples, number: int = EXAMPLES_SHOWN) -> list[int]:
    """Numbers of some short examples, all labels (or the whole range of scores) among them, always the same ones."""
    texts = [examples.texts] if examples.pairs is None else [examples.texts, examples.pairs]
    short = [n for n in range(len(examples)) if all(len(column[n]) <= LONGEST_EXAMPLE for column in texts)]
    chosen = np.array(short or range(len(examples)))
    ordered = chosen[np.argsort(examples.labels[chosen], kind="stable")]
    places = np.unique(np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(int))
    picked = ordered[places]
    half = (len(picked) + 1) // 2  # then low and high in turns, so that the first few already differ
    turns = [n for pair in zip(picked[:half], [*picked[half:], None], strict=False) for n in pair if n is not None]
    return [int(n) for n in turns]


def _title(column: str) -> str:
    return one_line(field_title(column), LONGEST_TITLE)


def _field_keys(task: Task) -> list[str]:
    return [f"playground-text-{number}" for number in range(len(task.text))]


def _example_texts(examples: Examples, number: int) -> tuple[str, ...]:
    return (examples.texts[number],) if examples.pairs is None else (examples.texts[number], examples.pairs[number])


def _example_key(choice: Choice) -> str:
    return f"playground-example-{choice.key}"


def _open_with_an_example(task: Task, examples: Examples) -> None:
    """Ask about an example as long as the visitor has asked nothing: a page that answers shows what it is for."""
    asked, opened = st.session_state.get(ASKED), st.session_state.get(OPENED)
    if asked is None or (opened is not None and opened[1] == asked and opened[0] != task.name):
        texts = _example_texts(examples, pick(examples)[0])
        _ask_about(task, texts)
        st.session_state[OPENED] = (task.name, texts)


def _ask_about(task: Task, texts: tuple[str, ...]) -> None:
    """Have the next run ask about these texts; call it before their fields are drawn."""
    st.session_state[ASKED] = texts
    st.session_state.update(zip(_field_keys(task), texts, strict=True))


def _choose_example(choice: Choice, examples: Examples) -> None:
    key = _example_key(choice)

    def fill() -> None:
        number = st.session_state[key]
        if number is not None:
            _ask_about(choice.study.task, _example_texts(examples, number))

    st.selectbox(
        "Try an example",
        pick(examples),
        index=None,
        key=key,
        placeholder="sentences written for this project, or type your own below",
        format_func=lambda number: "  ↔  ".join(_example_texts(examples, number)),
        on_change=fill,
    )


def _type(choice: Choice) -> None:
    """The form for typed text."""
    task = choice.study.task
    keys = _field_keys(task)
    asked = st.session_state.get(ASKED, ())

    def send() -> None:
        st.session_state[ASKED] = tuple(str(st.session_state[key] or "") for key in keys)
        st.session_state[_example_key(choice)] = None

    placeholder = "Type a text" if is_own(task) else "English text"  # nobody knows a stranger's network's languages
    with st.form("playground-form"):
        for number, (column, key) in enumerate(zip(task.text, keys, strict=True)):
            if key not in st.session_state:  # what was asked comes back with the page
                st.session_state[key] = asked[number] if len(asked) == len(keys) else ""
            # No max_chars: the browser would silently refuse a longer paste as a whole.
            st.text_area(theme.plain(_title(column)), key=key, height=80, placeholder=placeholder)
        whom = "both networks" if len(choice.variants) == 2 else "the network"
        st.form_submit_button(f"Ask {whom}", type="primary", on_click=send)


def _ask(choice: Choice, texts: list[str], runtime: str) -> list[Answer]:
    """Answers to these texts, asked once for each study, budget, runtime and text."""
    question = (str(choice.study.folder), version(choice.study), choice.variants, runtime, tuple(texts))
    shown = st.session_state.get(SHOWN)
    if shown is not None and shown[0] == question:
        return shown[1]
    loaded = networks.load(choice, runtime)
    try:
        answers = predict(loaded, *texts)
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        st.stop()
    if len(loaded) == len(choice.variants):  # a network that failed to load is tried again, and said again
        st.session_state[SHOWN] = (question, answers)
    return answers


# Showing


def _show(choice: Choice, answers: list[Answer], texts: list[str], notes: list[str], examples: Examples | None) -> None:
    task = choice.study.task
    if not is_own(task) and any(is_mostly_other_script(text) for text in texts):
        notes = [*notes, "The networks were trained on English: of other scripts they know little more than letters."]
    is_readable = any(answer.is_readable for answer in answers)
    if is_readable:
        st.subheader("Answer", anchor=False)
        st.text(" ↔ ".join(f"“{text}”" for text in texts))
        st.markdown(sentence(task, answers))
    else:
        st.warning("Nothing in this text is known to the networks' vocabularies: type a few words.")
    for note in [*notes, *piece_notes(answers)]:
        st.caption(f":material/info: {theme.plain(note)}")
    if not is_readable:
        return
    colours = theme.palette(st.context.theme.type)
    for column, answer in zip(st.columns(len(answers)), answers, strict=True):
        colour = colours.teacher if answer.variant.is_teacher else colours.slim
        with column, st.container(border=True, key=f"answer-{answer.variant}"):
            st.markdown(f"**{networks.name(answer.variant)}**")
            st.html(bars(task, answer, colour, colours.grid))
            st.caption(footnote(answer, is_timed=is_timed(answers)))
    label = _label_of_example(task, texts, examples)
    if label is not None:
        st.caption(f"This is an example of the probe set, labelled **{theme.plain(label)}** there.")


def _label_of_example(task: Task, texts: list[str], examples: Examples | None) -> str | None:
    """What an example's authors say of it, where these texts are one."""
    if examples is None:
        return None
    for number in range(len(examples)):
        if [" ".join(text.split()) for text in _example_texts(examples, number)] == texts:
            value = examples.labels[number]
            return f"{value:.1f}" if task.labels is None else label_text(task, int(value))
    return None
