"""Was it worth it? What the interval of a difference to the teacher allows to be said of a slim network."""

from __future__ import annotations

from enum import StrEnum

from slimviz.frames.results import Summary

MARGINS = ("1", "2", "3", "5", "10")  # points that a visitor may call a loss that is still fine


class Verdict(StrEnum):
    """What can be said of a slim network, whose interval is of its difference to the teacher."""

    FINE = "fine"  # no loss beyond the margin: the interval ends within it
    LOST = "lost"  # worse than the teacher, and perhaps by more than the margin
    UNSURE = "unsure"  # the interval holds both no loss and one beyond the margin
    WEAK = "weak"  # the teacher is not clearly above its floor
    UNLABELLED = "unlabelled"  # nobody says what is right: the metric is agreement with the teacher
    MISSING = "missing"  # no result


def verdict(row: Summary, margin: float) -> Verdict:
    """What can be said of one study at one budget.

    Args:
        row: its numbers.
        margin: the loss that would still be fine, in points. Ends of intervals count as they are printed, to a tenth.
    """
    if row.slim.score is None:
        return Verdict.MISSING
    if not row.is_labelled:
        return Verdict.UNLABELLED
    if row.has_weak_teacher:
        return Verdict.WEAK
    ends = interval_points(row)
    if ends is None:
        return Verdict.UNSURE
    if ends[0] >= -margin:
        return Verdict.FINE
    return Verdict.LOST if ends[1] < 0 else Verdict.UNSURE


def interval_points(row: Summary) -> tuple[float, float] | None:
    """Both ends of the interval in points, to a tenth; None where it was not measured."""
    if row.interval is None or row.interval.low is None or row.interval.high is None:
        return None
    return round(100 * row.interval.low, 1), round(100 * row.interval.high, 1)
