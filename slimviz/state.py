"""URL query parameters as text -> checked values, each with a line about what was wrong (pure)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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


def parse_density(raw: str | None, lowest: float, stored: Collection[str], fallback: str) -> Parsed[str]:
    """A stored budget's name, or a total density in percent as the URL writes it ("7.3").

    Args:
        raw: text from the URL; None where it says nothing.
        lowest: the smallest density in percent.
        stored: names of the budgets.
        fallback: taken where the URL says nothing, or something else.
    """
    if raw is None or raw in stored:
        return Parsed(fallback if raw is None else raw)
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if lowest <= value <= 100:
        return Parsed(f"{value:g}")
    expected = f"expected a number from {lowest:g} to 100"
    return Parsed(fallback, f"Density {quoted(raw)}: {expected}; showing {plain(fallback)}.")


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
