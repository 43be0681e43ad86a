"""Widgets and clicks tied to URL parameters, so that every state has a permalink.

The URL is the truth. A widget's callback writes its parameter to the URL; the run that follows reads it back and
checks it like any typed input. What the URL does not say is taken from the session, so that a study chosen on one
page is still chosen on the next. An unknown value gets one line and a fallback, never a traceback.

Parameters: study, budget (its name), density (percent, or a budget's name), layer, order, studies, criterion, scale,
head, kept (the heads that task DNA shows), first and second (the two sides of a difference), truth (the study whose
ablation curves are shown), backbone, margin (points of loss that would still be fine), stage (of a study's training),
length (tokens of a text), batch (texts at once), x and y (axes of Trade-offs), methods, published (figures shown or
hidden), a and b (networks on its card), ms-1 and ms-32 (milliseconds budgets), cut and cut-slim (heads cut by hand from
the teacher and from the slim network), flip (number of an example that both answer differently), turn (which single
head is looked for that would change that), explain (number of the label whose words are weighed on Playground), habits
(the study whose probe sentences show what a head does), runtime (what networks compute with on Live and Playground),
ms, mb, memory and points (limits on Advice), timed (the batch and length that its milliseconds are of), data and texts
(what there is to learn from, and how much).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import streamlit as st

from slimviz.state import NONE, Parsed, parse_choice, parse_choices, parse_limit, parse_number

T = TypeVar("T")


def read(parameter: str) -> str | None:
    """A parameter as the URL has it, or as this session last had it."""
    if parameter in st.query_params:
        return st.query_params[parameter]
    return st.session_state.get(f"remembered:{parameter}")


def change(**texts: str) -> None:
    """Set parameters because a person asked for them, all in one step of Back; the next run reads them back.

    They are remembered for the other pages, and what was wrong with the old values is forgotten; a density between the
    budgets, too, once a budget is chosen elsewhere.
    """
    if "budget" in texts:
        st.session_state.pop("remembered:density", None)
    for parameter, text in texts.items():
        st.session_state.pop(f"problem:{parameter}", None)
        st.session_state[f"remembered:{parameter}"] = text
    if any(st.query_params.get(parameter) != text for parameter, text in texts.items()):
        st.query_params.update(texts)


def resolve(parameter: str, parse: Callable[[str | None], Parsed[T]], to_text: Callable[[T], str] = str) -> T:
    """Read a parameter, check it, say in one line what was wrong with it, and write the checked value to the URL.

    The value is remembered for the other pages; where this page only cannot have what was asked for, that is.

    Args:
        parameter: its name in the URL.
        parse: text (or None) to a checked value, see the `parse_...` functions.
        to_text: the value as the URL writes it.
    """
    parsed = parse(read(parameter))
    text = to_text(parsed.value)
    memory = f"problem:{parameter}"
    if parsed.problem:
        st.session_state[memory] = (text, parsed.problem, parsed.wanted)
    elif st.session_state.get(memory, ("",))[0] != text:
        st.session_state.pop(memory, None)
    wanted = None
    if memory in st.session_state:  # stays through reruns until the person chooses something else
        _, problem, wanted = st.session_state[memory]
        st.warning(problem)
    st.session_state[f"remembered:{parameter}"] = wanted or text
    if st.query_params.get(parameter) != text:
        st.query_params[parameter] = text
    return parsed.value


def clicked(key: str, selection: str) -> dict[str, Any] | None:
    """What was clicked last on a chart, as the fields of its selection; None if nothing was.

    The chart's selection toggles, so every click changes it, also a second click on the same cell; the cell is the
    difference to the selection before. Call it from the chart's `on_select`.

    Args:
        key: the chart's key.
        selection: name of the chart's selection parameter.
    """
    current = st.session_state[key]["selection"].get(selection) or []
    before = st.session_state.get(f"clicked:{key}", [])
    st.session_state[f"clicked:{key}"] = current
    changed = [cell for cell in current if cell not in before] or [cell for cell in before if cell not in current]
    return changed[-1] if changed else None


def choose(
    widget: Callable[..., Any],
    label: str,
    parameter: str,
    options: Sequence[str],
    *,
    fallback: str | None = None,
    what: str | None = None,
    key: str | None = None,
    parse: Callable[[str | None], Parsed[str]] | None = None,
    **settings: Any,
) -> str:
    """A widget for one of several words, tied to a URL parameter.

    Args:
        widget: `st.selectbox`, `st.segmented_control`, `st.radio` or `st.select_slider`.
        label: the widget's label.
        parameter: its name in the URL.
        options: the words, as the URL writes them; `format_func` in `settings` makes them readable.
        fallback: taken where the URL says nothing or something unknown; the first option by default.
        what: the parameter in words, for messages; its name by default.
        key: the widget's key; made from the parameter by default.
        parse: checks what the URL says, in place of comparing it with the options.
        settings: passed on to the widget.
    """
    start = options[0] if fallback is None else fallback
    value = resolve(parameter, parse or (lambda raw: parse_choice(what or parameter, raw, options, start)))
    key = key or f"choose-{parameter}"
    st.session_state[key] = value
    widget(label, options, key=key, on_change=_commit, args=(parameter, key), **settings)
    return value


def choose_several(
    label: str,
    parameter: str,
    options: Sequence[str],
    *,
    fallback: Sequence[str],
    what: str,
    parse: Callable[[str | None], Parsed[list[str]]] | None = None,
    to_text: Callable[[Sequence[str]], str] = ",".join,
    **settings: Any,
) -> list[str]:
    """A multiselect tied to a URL parameter; choosing nothing says so and goes back to the fallback.

    Args:
        label: the widget's label.
        parameter: its name in the URL.
        options: the words, as the URL writes them.
        fallback: taken where the URL says nothing, or something unknown.
        what: the parameter in words, for messages.
        parse: checks what the URL says, in place of comparing it with the options.
        to_text: the words as the URL writes them.
        settings: passed on to the widget.
    """
    value = resolve(parameter, parse or (lambda raw: parse_choices(what, raw, options, fallback)), to_text)
    key = f"choose-{parameter}"
    st.session_state[key] = value
    st.multiselect(label, options, key=key, on_change=_commit, args=(parameter, key, to_text), **settings)
    return value


def choose_number(
    label: str, parameter: str, *, lowest: float, highest: float, fallback: float, what: str, **settings: Any
) -> float:
    """A field for a number, tied to a URL parameter.

    Args:
        label: the widget's label.
        parameter: its name in the URL.
        lowest: the smallest that is taken.
        highest: the largest.
        fallback: taken where the URL says nothing, or something else.
        what: the parameter in words, for messages.
        settings: passed on to the widget.
    """
    value = resolve(parameter, lambda raw: parse_number(what, raw, lowest, highest, fallback), _number)
    key = f"choose-{parameter}"
    st.session_state[key] = value
    bounds = {"min_value": lowest, "max_value": highest}
    st.number_input(label, key=key, on_change=_commit, args=(parameter, key, _number), **bounds, **settings)
    return value


def choose_limit(
    label: str,
    parameter: str,
    *,
    lowest: float,
    highest: float,
    what: str,
    fallback: float | None = None,
    **settings: Any,
) -> float | None:
    """A field for a number that may be left empty, tied to a URL parameter; arguments as of `choose_number`.

    Returns:
        The number, or None for no limit.
    """
    value = resolve(parameter, lambda raw: parse_limit(what, raw, lowest, highest, fallback), _limit)
    key = f"choose-{parameter}"
    st.session_state[key] = value
    st.number_input(
        label,
        value=None,
        min_value=lowest,
        max_value=highest,
        key=key,
        placeholder="any",
        on_change=lambda: change(**{parameter: _limit(st.session_state.get(key))}),
        **settings,
    )
    return value


def _limit(value: float | None) -> str:
    return NONE if value is None else _number(value)


def _number(value: float) -> str:
    return f"{value:g}"


def _commit(parameter: str, key: str, to_text: Callable[[Any], str] = str) -> None:
    """Widget callback: what was chosen goes to the URL."""
    value = st.session_state.get(key)
    if value is not None:
        change(**{parameter: to_text(value)})
