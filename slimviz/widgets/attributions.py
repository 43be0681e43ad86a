"""Which words speak for an answer: integrated gradients and each word left out, of both networks, asked for by hand."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from pruning.data.tasks import Task
from pruning.errors import SlimVizError, one_line
from slimviz import attributions_in_words as in_words
from slimviz import theme
from slimviz.charts.word_bars import word_bars, word_bounds
from slimviz.frames.attributions import Reading, attribution_frame, respelled
from slimviz.frames.tidy import groups, records
from slimviz.live.attributions import Explanation, explain
from slimviz.live.networks import Network, version
from slimviz.live.typed_text import field_title
from slimviz.live.words import Word
from slimviz.widgets import networks, parameters
from slimviz.widgets.answer import label_text
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.networks import Choice

OFF = "off"  # how the URL says that nothing is explained
EXPLAINED = "playground:explained"  # session: what was asked of whom, and explanations by label
MOST_BUTTONS = 4  # labels, from which on a box to select from takes their place
LONGEST_LABEL = 30  # characters of a label in the title of an axis
DIFFERENCE = "Slim minus teacher"


def show_attributions(choice: Choice, texts: Sequence[str], downloads: Downloads) -> None:
    """Let a person choose a label, and show what each word does to its log-odds; nothing is computed before.

    Args:
        choice: the study and networks of the page.
        texts: one, or two of a pair, as they were read.
        downloads: of the page.
    """
    st.subheader("Which words speak for it?", anchor=False)
    label = _choose_label(choice.study.task)
    if label is None:
        st.caption("Choose what to explain: it takes some seconds, so it is computed only when asked for.")
        return
    explanation = _explained(choice, label, texts)
    if explanation is not None:
        _show(choice.study.task, label, explanation, texts, downloads)


def _choose_label(task: Task) -> int | None:
    """Number of the label to explain (0 for a score); None for nothing. In the URL as `explain`."""
    titles = {OFF: "nothing"}
    titles |= {str(number): label_text(task, number) for number in range(len(task.labels or ()))} or {"0": "the score"}
    has_buttons = len(titles) <= MOST_BUTTONS + 1
    chosen = parameters.choose(
        partial(st.segmented_control, required=True) if has_buttons else st.selectbox,
        "Explain, word by word",
        "explain",
        list(titles),
        what="label to explain",
        format_func=lambda option: theme.plain(titles[option]) if has_buttons else titles[option],
    )
    return None if chosen == OFF else int(chosen)


def _explained(choice: Choice, label: int, texts: Sequence[str]) -> Explanation | None:
    """From the session where these texts were explained before; None where it cannot be computed, which is said."""
    question = (str(choice.study.folder), version(choice.study), choice.variants, tuple(texts))
    asked, by_label = st.session_state.get(EXPLAINED, (None, {}))
    if asked == question and label in by_label:
        return by_label[label]
    loaded, _ = networks.load_quietly(choice)  # what does not load was said with the answer
    try:
        explanation = _computed(loaded, None if choice.study.task.is_regression else label, texts)
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        return None
    if len(loaded) == len(choice.variants):
        kept = by_label if asked == question else {}
        st.session_state[EXPLAINED] = question, kept | {label: explanation}
    return explanation


def _computed(loaded: Sequence[Network], label: int | None, texts: Sequence[str]) -> Explanation:
    """Compute, with a bar that says how far it is; another choice on the page ends it between two batches."""
    place = st.empty()
    words = "Following the answer back to the words …"
    place.progress(0.0, words)
    explanation = explain(loaded, label, *texts, progress=lambda share: place.progress(share, words))
    place.empty()
    return explanation


def _show(task: Task, label: int, explanation: Explanation, texts: Sequence[str], downloads: Downloads) -> None:
    names = {"teacher" if variant.is_teacher else "slim": variant for variant in explanation.readings}
    readings = {name: explanation.readings[variant] for name, variant in names.items()}
    titles = {name: networks.name(variant) for name, variant in names.items()} | {"difference": DIFFERENCE}
    words = [word.text for word in explanation.words]
    said = [in_words.strongest_sentence(titles[name], reading, words) for name, reading in readings.items()]
    if len(readings) == 2:
        said.append(in_words.alike_sentence(readings["teacher"], readings["slim"]) or "")
        _show_respelled(explanation.words, readings["teacher"], readings["slim"], texts)
    st.markdown(theme.plain(" ".join(said)))
    unit = "score" if task.labels is None else f"log-odds of {one_line(label_text(task, label), LONGEST_LABEL)}"
    frame = attribution_frame(
        [(word.field, word.text) for word in explanation.words],
        readings,
        [field_title(column) for column in task.text],
    )
    palette = current_palette()
    bound = word_bounds(row[name] for row in records(frame) for name in ("integrated", "left_out"))
    st.caption(theme.plain(in_words.LEGEND))
    parts = groups(frame, "network")
    for (name, part), column in zip(parts, st.columns(len(parts)), strict=True):
        with column:
            st.markdown(f"**{titles[name]}**")
            downloads.draw(
                f"Words, {titles[name]}",
                word_bars(part, bound, f"added to the {unit}", palette),
                part.drop(columns=["row", "told"]),
                width="stretch",
                alt=f"{titles[name]}: what each word adds to the {unit}. " + "; ".join(part["told"].dropna()),
            )
            if name in readings:
                _show_checks(readings[name], unit)
    what = "the score" if task.labels is None else f"the {unit}, ln(p / (1 − p))"
    st.caption(theme.plain(in_words.method_text(what, explanation.blank, explanation.steps)))
    with st.expander("The same as a table"):
        st.dataframe(_table(frame, titles), hide_index=True, alt=f"What each word adds to the {unit}")


def _show_checks(reading: Reading, unit: str) -> None:
    """Whether the bars add up, and whether the two methods agree."""
    st.caption(theme.plain(in_words.sum_sentence(reading, unit)))
    agreement = in_words.agreement_sentence(reading)
    if agreement is not None:
        sentence, is_low = agreement
        st.caption(f"{':material/warning: ' if is_low else ''}{theme.plain(sentence)}")


def _show_respelled(words: Sequence[Word], teacher: Reading, slim: Reading, texts: Sequence[str]) -> None:
    """The texts, underlined where the slim network spells them in other pieces, and how it does."""
    numbers = respelled(teacher, slim)
    if not numbers:
        st.caption("Both networks spell every word in the same pieces.")
        return
    st.html(" ↔ ".join(_underlined(text, field, words, numbers) for field, text in enumerate(texts)))
    spellings = dict.fromkeys(f"“{words[number].text}” as {' '.join(slim.pieces[number])}" for number in numbers)
    shown = theme.listing(list(spellings))
    st.caption(theme.plain(f"Underlined: not in the slim network's smaller vocabulary, so it reads {shown}."))


def _underlined(text: str, field: int, words: Sequence[Word], numbers: Sequence[int]) -> str:
    """A text as HTML, some of its words underlined."""
    parts, place = [], 0
    for number in numbers:
        word = words[number]
        if word.field == field:
            parts += [html.escape(text[place : word.start]), f"<u>{html.escape(word.text)}</u>"]
            place = word.end
    return "".join([*parts, html.escape(text[place:])])


def _table(frame: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Words down, networks across."""
    columns: dict[str, list[str]] = {}
    for name, part in groups(frame.dropna(subset=["word"]), "network"):
        rows = records(part)
        columns.setdefault("Word", [row["word"] for row in rows])
        columns[titles[name]] = [row["label"] for row in rows]
        columns[f"{titles[name]}, left out"] = [row["left_out_label"] for row in rows]
        columns[f"{titles[name]}, read as"] = [row["pieces"] for row in rows]
    return pd.DataFrame(columns)
