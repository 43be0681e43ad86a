"""Page state <-> URL query parameters, so that every state has a permalink.

The URL is the truth. A widget's callback writes its parameter to the URL; the run that follows reads it back and
checks it like any typed input. What the URL does not say is taken from the session, so that a study chosen on one
page is still chosen on the next. An unknown value gets one line and a fallback, never a traceback.

Parameters: study, budget (percent of the teacher's parameters), density, layer, order, studies, criterion, scale, head,
first and second (the two sides of a difference), backbone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from slimviz.theme import head_title, plain

T = TypeVar("T")
SHOWN_LENGTH = 40  # characters of a typed value that a message repeats
NONE = "none"  # how the URL says that no head is chosen


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """A checked parameter: its value, and what was wrong with the text it came from."""

    value: T
    problem: str | None = None


def quoted(raw: str) -> str:
    """A typed value for a message: short, in quotes, harmless in Markdown."""
    return f'"{plain(raw[:SHOWN_LENGTH])}{"…" if len(raw) > SHOWN_LENGTH else ""}"'


def parse_choice(what: str, raw: str | None, allowed: Sequence[str], fallback: str) -> Parsed[str]:
    """One of several words.

    Args:
        what: the parameter in words, for the message ("study").
        raw: text from the URL; None where it says nothing.
        allowed: the words.
        fallback: taken where the URL says nothing, or something unknown.
    """
    if raw is None or raw in allowed:
        return Parsed(fallback if raw is None else raw)
    known = ", ".join(plain(word) for word in allowed)
    return Parsed(fallback, f"Unknown {what} {quoted(raw)}: expected one of {known}; showing {plain(fallback)}.")


def parse_choices(what: str, raw: str | None, allowed: Sequence[str], fallback: Sequence[str]) -> Parsed[list[str]]:
    """Several words, separated by commas; in the order of `allowed`, at least one."""
    if raw is None:
        return Parsed(list(fallback))
    words = [word for word in raw.split(",") if word]
    unknown = [word for word in words if word not in allowed]
    kept = [word for word in allowed if word in words]
    if kept and not unknown:
        return Parsed(kept)
    found = f"Unknown {what} {quoted(','.join(unknown))}" if unknown else f"No {what} chosen"
    shown = kept or list(fallback)
    known = ", ".join(plain(word) for word in allowed)
    return Parsed(shown, f"{found}: expected some of {known}; showing {plain(', '.join(shown))}.")


def parse_number(what: str, raw: str | None, lowest: float, highest: float, fallback: float) -> Parsed[float]:
    """A number within bounds."""
    if raw is None:
        return Parsed(fallback)
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if lowest <= value <= highest:
        return Parsed(value)
    return Parsed(
        fallback, f"{what} {quoted(raw)}: expected a number from {lowest:g} to {highest:g}; showing {fallback:g}."
    )


def parse_head(raw: str | None, layers: int, heads: int) -> Parsed[tuple[int, int] | None]:
    """A head as the URL writes it ("3-7", counted from 1), as numbers counted from 0; None where none is chosen."""
    if raw is None or raw == NONE:
        return Parsed(None)
    match = re.fullmatch(r"([0-9]{1,3})-([0-9]{1,3})", raw)
    if match and 1 <= int(match[1]) <= layers and 1 <= int(match[2]) <= heads:
        return Parsed((int(match[1]) - 1, int(match[2]) - 1))
    expected = f"expected layer-head, from 1-1 to {layers}-{heads}"
    return Parsed(None, f"Unknown head {quoted(raw)}: {expected}; no head is chosen.")


def format_head(head: tuple[int, int] | None) -> str:
    """The inverse of `parse_head`."""
    return NONE if head is None else f"{head[0] + 1}-{head[1] + 1}"


def head_option_title(option: str) -> str:
    """A head in the URL's form, as a person reads it."""
    return "no head" if option == NONE else head_title(*(int(part) - 1 for part in option.split("-")))


def read(parameter: str) -> str | None:
    """A parameter as the URL has it, or as this session last had it."""
    if parameter in st.query_params:
        return st.query_params[parameter]
    return st.session_state.get(f"remembered:{parameter}")


def write(parameter: str, text: str) -> None:
    """Set a parameter in the URL and remember it for the other pages; the next run reads it back."""
    st.session_state[f"remembered:{parameter}"] = text
    if st.query_params.get(parameter) != text:
        st.query_params[parameter] = text


def change(parameter: str, text: str) -> None:
    """Set a parameter because a person asked for it: what was wrong with the old value is forgotten."""
    st.session_state.pop(f"problem:{parameter}", None)
    write(parameter, text)


def resolve(parameter: str, parse: Callable[[str | None], Parsed[T]], to_text: Callable[[T], str] = str) -> T:
    """Read a parameter, check it, say in one line what was wrong with it, and write the checked value to the URL.

    Args:
        parameter: its name in the URL.
        parse: text (or None) to a checked value, see the `parse_...` functions.
        to_text: the value as the URL writes it.
    """
    parsed = parse(read(parameter))
    text = to_text(parsed.value)
    memory = f"problem:{parameter}"
    if parsed.problem:
        st.session_state[memory] = (text, parsed.problem)
    elif st.session_state.get(memory, ("", ""))[0] != text:
        st.session_state.pop(memory, None)
    if memory in st.session_state:  # stays through reruns until the person chooses something else
        st.warning(st.session_state[memory][1])
    write(parameter, text)
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
        settings: passed on to the widget.
    """
    start = options[0] if fallback is None else fallback
    value = resolve(parameter, lambda raw: parse_choice(what or parameter, raw, options, start))
    key = key or f"choose-{parameter}"
    st.session_state[key] = value
    widget(label, options, key=key, on_change=_commit, args=(parameter, key), **settings)
    return value


def choose_several(
    label: str, parameter: str, options: Sequence[str], *, fallback: Sequence[str], what: str, **settings: Any
) -> list[str]:
    """A multiselect tied to a URL parameter; choosing nothing says so and goes back to the fallback."""
    value = resolve(parameter, lambda raw: parse_choices(what, raw, options, fallback), ",".join)
    key = f"choose-{parameter}"
    st.session_state[key] = value
    st.multiselect(label, options, key=key, on_change=_commit, args=(parameter, key), **settings)
    return value


def _commit(parameter: str, key: str) -> None:
    """Widget callback: what was chosen goes to the URL."""
    value = st.session_state.get(key)
    if value is not None:
        change(parameter, ",".join(value) if isinstance(value, (list, tuple)) else str(value))
