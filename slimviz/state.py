"""URL query parameters as text -> checked values, each with a line about what was wrong (pure)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from slimviz.theme import head_title, plain

T = TypeVar("T")

SHOWN_LENGTH = 40  # characters of a typed value that a message repeats
UNKNOWN_PAGE = "unknown"  # parameter of the first page: the path that was asked for and leads nowhere
NONE = "none"  # how the URL says that no head is chosen, or that nothing is limited


@dataclass(frozen=True)
class Parsed(Generic[T]):
    """A checked parameter: its value, what was wrong with the text it came from, and what other pages still mean by it.

    Attributes:
        value: what is shown.
        problem: what was wrong, in a line.
        wanted: a text that is right and only cannot be had here; other pages go on with it.
    """

    value: T
    problem: str | None = None
    wanted: str | None = None


def quoted(raw: str) -> str:
    """A typed value for a message: short, in quotes, harmless in Markdown."""
    return f'"{plain(raw[:SHOWN_LENGTH])}{"…" if len(raw) > SHOWN_LENGTH else ""}"'


def parse_choice(what: str, raw: str | None, allowed: Sequence[str], fallback: str) -> Parsed[str]:
    """One of several words; written in other cases or with other signs between, it is found too ("SST-2" for sst2).

    Args:
        what: the parameter in words, for the message ("study").
        raw: text from the URL; None where it says nothing.
        allowed: the words.
        fallback: taken where the URL says nothing, or something unknown.
    """
    if raw is None:
        return Parsed(fallback)
    if (found := _find(raw, allowed)) is not None:
        return Parsed(found)
    known = ", ".join(plain(word) for word in allowed)
    return Parsed(fallback, f"Unknown {what} {quoted(raw)}: expected one of {known}; showing {plain(fallback)}.")


def parse_choices(what: str, raw: str | None, allowed: Sequence[str], fallback: Sequence[str]) -> Parsed[list[str]]:
    """Several words, separated by commas; in the order of `allowed`, at least one."""
    if raw is None:
        return Parsed(list(fallback))
    words = [word for word in raw.split(",") if word]
    found = {word: _find(word, allowed) for word in words}
    unknown = [word for word in words if found[word] is None]
    kept = [word for word in allowed if word in found.values()]
    if kept and not unknown:
        return Parsed(kept)
    wrong = f"Unknown {what} {quoted(','.join(unknown))}" if unknown else f"No {what} chosen"
    shown = kept or list(fallback)
    known = ", ".join(plain(word) for word in allowed)
    return Parsed(shown, f"{wrong}: expected some of {known}; showing {plain(', '.join(shown))}.")


def _find(raw: str, allowed: Sequence[str]) -> str | None:
    """The word meant; None where there is none, or several differ in case and signs alone."""
    if raw in allowed:
        return raw
    alike = [word for word in allowed if _bare(word) and _bare(word) == _bare(raw)]
    return alike[0] if len(alike) == 1 else None


def _bare(word: str) -> str:
    return re.sub(r"[\W_]", "", word).casefold()


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
    value = _number_of(raw, lowest, 100)
    if value is not None:
        return Parsed(f"{value:g}")
    return Parsed(fallback, f"Density {quoted(raw)}: {_between(lowest, 100)}; showing {plain(fallback)}.")


def parse_number(what: str, raw: str | None, lowest: float, highest: float, fallback: float) -> Parsed[float]:
    """A number as the URL writes it ("7.3").

    Args:
        what: the parameter in words, for the message.
        raw: text from the URL; None where it says nothing.
        lowest: the smallest that is taken.
        highest: the largest.
        fallback: taken where the URL says nothing, or something else.
    """
    if raw is None:
        return Parsed(fallback)
    value = _number_of(raw, lowest, highest)
    if value is not None:
        return Parsed(value)
    return Parsed(fallback, f"{what} {quoted(raw)}: {_between(lowest, highest)}; showing {fallback:g}.")


def parse_limit(
    what: str, raw: str | None, lowest: float, highest: float, fallback: float | None
) -> Parsed[float | None]:
    """A number as the URL writes it, or "none" for no limit; arguments as of `parse_number`."""
    if raw == NONE:
        return Parsed(None)
    if fallback is not None:
        parsed = parse_number(what, raw, lowest, highest, fallback)
        return Parsed(parsed.value, parsed.problem)
    value = None if raw is None else _number_of(raw, lowest, highest)
    if raw is None or value is not None:
        return Parsed(value)
    return Parsed(None, f"{what} {quoted(raw)}: {_between(lowest, highest)}; there is no limit.")


def _number_of(raw: str, lowest: float, highest: float) -> float | None:
    try:
        value = float(raw)
    except ValueError:
        return None
    return value if lowest <= value <= highest else None


def _between(lowest: float, highest: float) -> str:
    return f"expected a number from {lowest:g} to {highest:g}"


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


def parse_heads(raw: str | None, there: Collection[tuple[int, int]], whose: str) -> Parsed[tuple[tuple[int, int], ...]]:
    """Heads as the URL writes them ("6-6,3-1", counted from 1): sorted, as numbers counted from 0.

    Args:
        raw: text from the URL; None where it says nothing.
        there: the heads that there are, counted from 0.
        whose: the network, for the message ("the teacher").
    """
    words = [] if raw is None or raw == NONE else [word for word in raw.split(",") if word]
    by_text = {format_head(head): head for head in there}
    found = tuple(sorted({by_text[word] for word in words if word in by_text}))
    unknown = [word for word in words if word not in by_text]
    if not unknown:
        return Parsed(found)
    expected = "expected layer-head, counted from 1, of heads that it has"
    return Parsed(found, f"No head {quoted(','.join(unknown))} in {plain(whose)}: {expected}; left out.")


def format_heads(heads: Collection[tuple[int, int]]) -> str:
    """The inverse of `parse_heads`."""
    return ",".join(map(format_head, sorted(heads))) or NONE


def head_option_title(option: str) -> str:
    """A head in the URL's form, as a person reads it."""
    return "no head" if option == NONE else head_title(*(int(part) - 1 for part in option.split("-")))
