"""The flip finder on Playground: examples that both networks answer differently, and the head that would change one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from pruning.data.examples import Examples
from pruning.data.tasks import Task
from pruning.measure.metrics import predictions
from slimviz import surgery_in_words, theme
from slimviz.charts.head_map import turned_map
from slimviz.frames.flips import Turned, flips, turned, turned_frame
from slimviz.live import surgery
from slimviz.live.networks import Network, load_networks
from slimviz.live.surgery import Cut
from slimviz.live.typed_text import field_title
from slimviz.state import NONE, Parsed, format_heads, quoted
from slimviz.widgets import parameters
from slimviz.widgets.answer import label_text, probability_text
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.guard import guard
from slimviz.widgets.networks import Choice

FIRST = "first"  # in the URL, until it is known which example that is
LONGEST_TEXT = 110  # characters of an example in the box


@dataclass(frozen=True)
class _Both:
    """Both networks and what they say to all examples: `teacher` and `slim` are logits, (examples, labels)."""

    networks: tuple[Network, Network]
    teacher: np.ndarray
    slim: np.ndarray

    @property
    def removed(self) -> Cut:
        """Heads of the teacher that the slim network lacks."""
        left = surgery.heads_in(self.networks[1])
        return tuple(head for head in surgery.heads_in(self.networks[0]) if head not in left)


@st.fragment
def show_flips(choice: Choice, examples: Examples, ask: Callable[[int], None]) -> None:
    """Examples with different answers, and single heads that change one; in the URL as `flip` and `turn`.

    Args:
        choice: a teacher and a slim network.
        examples: labelled ones.
        ask: called with an example's number to have the page ask about it.
    """
    st.subheader("Where they differ", anchor=False)
    if parameters.read("flip") in (None, NONE):
        st.button("Find examples that they answer differently", on_click=parameters.change, kwargs={"flip": FIRST})
        return
    with guard("The flip finder"):
        both = _answers(choice, examples)
        if both is None:
            return
        numbers = flips(choice.study.task, both.teacher, both.slim)
        st.markdown(theme.plain(_summary(choice.study.task, both, numbers, examples)))
        if numbers:
            _list(choice.study.task, both, numbers, examples)
            number = _choose(choice.study.task, numbers, examples)
            _explain(choice, both, number, examples, ask)
        st.button("Close", key="flips-close", on_click=parameters.change, kwargs={"flip": NONE})


def _answers(choice: Choice, examples: Examples) -> _Both | None:
    """What both networks say to all examples; None where one of them does not load."""
    loaded, _ = load_networks(choice.study, choice.variants)
    if len(loaded) < 2:
        return None
    teacher, slim = (surgery.whole(choice.study, network) for network in loaded)
    place, logits = st.empty(), []
    for network in (teacher, slim):
        so_far = np.empty(0)
        for so_far in surgery.answered(choice.study, network, (), examples):
            place.caption(f"Asked {len(so_far)} of {len(examples)} examples of the probe set …")
        logits.append(so_far)
    place.empty()
    return _Both((teacher, slim), logits[0], logits[1])


def _summary(task: Task, both: _Both, numbers: Sequence[int], examples: Examples) -> str:
    right = None
    if not task.is_regression:
        labels = examples.labels[numbers]
        first, second = (predictions(task, logits)[numbers] for logits in (both.teacher, both.slim))
        right = int((first == labels).sum()), int((second == labels).sum())
    return surgery_in_words.flips_sentence(len(numbers), len(examples), right)


def _said(task: Task, value: float) -> str:
    """An answer or a label in words."""
    return f"{value:.2f}" if task.labels is None else label_text(task, int(value))


def _texts(examples: Examples, number: int) -> tuple[str, ...]:
    return tuple(column[number] for column in (examples.texts, examples.pairs) if column is not None)


def _list(task: Task, both: _Both, numbers: Sequence[int], examples: Examples) -> None:
    """The examples as a table."""
    first, second = predictions(task, both.teacher), predictions(task, both.slim)
    rows: list[Mapping[str, object]] = [
        {
            "Example": number + 1,
            "Label": _said(task, examples.labels[number]),
            "Teacher": _said(task, first[number]),
            "Slim": _said(task, second[number]),
            **dict(zip(map(field_title, task.text), _texts(examples, number), strict=True)),
        }
        for number in numbers
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, height=min(38 + 35 * len(rows), 250), alt="Different answers")


def _choose(task: Task, numbers: Sequence[int], examples: Examples) -> int:
    """One of these examples."""
    options = [str(number + 1) for number in numbers]

    def parse(raw: str | None) -> Parsed[str]:
        if raw in options:
            return Parsed(raw)
        problem = f"Example {quoted(raw or '')} is not among these; showing {options[0]}."
        return Parsed(options[0], None if raw == FIRST else problem)

    def title(option: str) -> str:
        whole = " ↔ ".join(_texts(examples, int(option) - 1))
        return f"{option}: {whole[:LONGEST_TEXT]}{'…' if len(whole) > LONGEST_TEXT else ''}"

    return int(parameters.choose(st.selectbox, "Example", "flip", options, parse=parse, format_func=title)) - 1


def _explain(choice: Choice, both: _Both, number: int, examples: Examples, ask: Callable[[int], None]) -> None:
    """Single heads that bring this example's answer back, on a map, and the first of them to try."""
    task, shape = choice.study.task, choice.study.shape
    turn = parameters.choose(
        st.segmented_control,
        "The one head that changes it when",
        "turn",
        list(surgery_in_words.TURNS),
        format_func=surgery_in_words.TURNS.__getitem__,
        required=True,
    )
    st.caption(surgery_in_words.TURN_TRUTH[turn])
    off = both.removed if turn == "restored" else ()
    network = both.networks[turn == "slim"]
    heads = both.removed if turn == "restored" else surgery.heads_in(network)
    answers = both.teacher[number], both.slim[number]
    wanted, other = answers if turn != "teacher" else answers[::-1]
    logits = surgery.each_turned_over(choice.study, network, off, heads, examples.take([number]))
    one = turned(task, heads, logits, wanted, other)
    words = _words(task, turn, one, logits[0], wanted, other)
    st.markdown(f"**{theme.plain(words)}**")
    if not one.heads or one.already:
        return
    downloads, frame = Downloads("flips"), turned_frame(shape, one)
    with st.columns(2)[0]:
        downloads.draw(
            f"Single heads {surgery_in_words.TURNS[turn]}",
            turned_map(frame, current_palette()),
            frame,
            width="stretch",
            key=f"turned-{choice.key}",
            alt=words,
        )
    stronger = "darker" if current_palette().name == "light" else "brighter"
    st.caption(f"✓: this head alone does it. The {stronger} a cell, the further the answer comes; ·: not turned over.")
    first = one.heads[0]
    cut = {"restored": [head for head in off if head != first], "teacher": [first], "slim": []}[turn]
    cuts = {"cut": format_heads(cut), "cut-slim": format_heads([first] if turn == "slim" else [])}

    def try_it() -> None:
        ask(number)
        parameters.change(**cuts)

    if st.button(f"Try it above: {theme.head_title(*first)}", key="flips-try", on_click=try_it):
        st.rerun()  # the whole page, which asks about the example
    downloads.offer()


def _words(task: Task, turn: str, one: Turned, says: np.ndarray, wanted: np.ndarray, other: np.ndarray) -> str:
    """What single heads do, in a sentence."""
    said, goal, start = (_said(task, predictions(task, logits[None])[0]) for logits in (says, wanted, other))
    wish, furthest = f"say {goal}", ""
    if task.is_regression:
        wish = f"come closer to {goal} than to {start}"
    if one.heads:
        reach = one.reach[0]
        furthest = f"{theme.percent_text(reach, 0)} of the way" if task.is_regression else probability_text(reach)
    return surgery_in_words.turned_sentence(turn, one, f"says {said}", wish, furthest)
