"""Sentences on what the words of a text do to the networks' answers (pure)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slimviz.frames.attributions import Reading, rank_correlation
from slimviz.theme import change_text, listing, percent_text

NAMED = 2  # words a network
LOW_AGREEMENT, HIGH_AGREEMENT = 0.5, 0.8  # rank correlations: below it is said to be low, from there on to be alike
LEGEND = (
    "Bar: what the word adds; to the right (+) it speaks for what is explained, to the left (−) against it. "
    "Diamond: by how much the same falls without the word."
)
LARGE_ERROR = 0.05  # of the difference to explain, or of the longest bar: beyond it the bars are said to be coarse


def strongest_sentence(whose: str, reading: Reading, words: Sequence[str]) -> str:
    """Which words move one network most, either way.

    Args:
        whose: the network, as a sentence begins with it.
        reading: its own.
        words: the text's.
    """
    values: list[float] = np.nan_to_num(reading.integrated).tolist()
    order = [number for number in np.argsort(-np.abs(values), kind="stable")[:NAMED] if values[number]]
    if not order:
        return f"{whose} is moved by no word."
    return f"{whose} is moved most by {listing([f'“{words[n]}” ({change_text(values[n])})' for n in order])}."


def alike_sentence(teacher: Reading, slim: Reading) -> str | None:
    """Whether the two networks weigh words alike; None for too few words."""
    found = rank_correlation(teacher.integrated, slim.integrated)
    return None if found is None else f"They weigh the words {_how_alike(found)}."


def sum_sentence(reading: Reading, unit: str) -> str:
    """What the words add up to, and how far that is from what they should explain.

    Args:
        reading: one network's.
        unit: what is explained ("log-odds of positive").
    """
    error = abs(reading.error)
    share = f" ({percent_text(error / abs(reading.difference))})" if reading.difference else ""
    largest = max([abs(reading.difference), *np.abs(np.nan_to_num(reading.integrated)).tolist()])
    coarse = ": the bars are coarse" if error > LARGE_ERROR * largest else ""
    return (
        f"The bars add up to {change_text(reading.difference + reading.error)} of the "
        f"{change_text(reading.difference)} between {change_text(reading.baseline)} (every word blotted out) and "
        f"{change_text(reading.value)} {unit} (this text): off by {error:.3f}{share}{coarse}."
    )


def agreement_sentence(reading: Reading) -> tuple[str, bool] | None:
    """Whether the two ways to weigh words agree on one network, and whether that is low; None for too few words."""
    found = reading.agreement
    if found is None:
        return None
    is_low = found < LOW_AGREEMENT
    advice = " Agreement is low: trust neither for a single word." if is_low else ""
    return f"Bars and diamonds rank the words {_how_alike(found)}.{advice}", is_low


def _how_alike(correlation: float) -> str:
    how = (
        "alike" if correlation >= HIGH_AGREEMENT else "differently" if correlation < LOW_AGREEMENT else "roughly alike"
    )
    return f"{how} (rank correlation {correlation:.2f})".replace("-", "−")


def method_text(what: str, blank: str, steps: int) -> str:
    """How the numbers are made, and what they are not.

    Args:
        what: what is explained ("the log-odds of positive, ln(p / (1 − p))").
        blank: the piece that stands for a blotted-out word.
        steps: points that gradients were taken at.
    """
    return (
        f"Bars are integrated gradients: what each word adds to {what}, from a text in which every word is blotted out "
        f"({blank} in place of each of its pieces; only the marks around the texts stay) to the text itself, gradients "
        f"taken at {steps} points between the two and a word's pieces added up. Diamonds leave one word out: by how "
        f"much the same falls when that word alone is replaced by {blank}. Both say what moves the network, not what "
        "is true of the text; another baseline would give other bars."
    )
