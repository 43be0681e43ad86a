"""What somebody can spend, and where a measured network goes beyond it (pure)."""

from __future__ import annotations

from typing import ClassVar

from pruning.advice.option import Option
from pruning.records import AboveZero, NonNegative, Positive, Record, Text

MEGABYTE = 1e6


class Limits(Record, frozen=True, kw_only=True):
    """What may be spent; None for as much as it takes.

    Attributes:
        ms: milliseconds of a batch.
        batch: texts at once.
        length: tokens of each.
        mb: megabytes on disk.
        memory_mb: megabytes of memory.
        points: of the metric, lost against the teacher.
    """

    label: ClassVar[str] = "limit "

    ms: AboveZero | None = None
    batch: Positive = 1
    length: Positive = 32
    mb: AboveZero | None = None
    memory_mb: AboveZero | None = None
    points: NonNegative | None = None

    @property
    def has_cost(self) -> bool:
        """Whether time, disk or memory are limited."""
        return any(limit is not None for limit in (self.ms, self.mb, self.memory_mb))


class Shortfall(Record, frozen=True):
    """Why a network does not fit.

    Attributes:
        kind: "floor", "points", "ms", "mb" or "memory".
        text: the reason, short.
        excess: what it takes over what it may; None where that is unknown or no matter of degree.
    """

    kind: Text
    text: Text
    excess: float | None = None

    @property
    def is_cost(self) -> bool:
        """Whether it takes too much, rather than answers too badly."""
        return self.kind in ("ms", "mb", "memory")


def shortfalls(option: Option, limits: Limits) -> tuple[Shortfall, ...]:
    """All that keeps a network from fitting; nothing where it fits."""
    found = []
    if option.score <= option.floor:
        text = f"scores {option.score:.3f}, knowing nothing {option.floor:.3f}"
        found.append(Shortfall("floor", text))
    found += _points(option, limits)
    cells = [
        ("ms", "ms", limits.ms, _milliseconds(option, limits), f"batch {limits.batch}, {limits.length} tokens"),
        ("mb", "MB", limits.mb, _megabytes(option.size_bytes), "on disk"),
        ("memory", "MB of memory", limits.memory_mb, _megabytes(option.memory_bytes), ""),
    ]
    for kind, unit, most, value, where in cells:
        if most is None:
            continue
        if value is None:
            found.append(Shortfall(kind, f"{unit} not measured{f' ({where})' if where else ''}"))
        elif value > most:
            found.append(Shortfall(kind, f"{value:.3g} {unit}, at most {most:g} asked", value / most))
    return tuple(found)


def _points(option: Option, limits: Limits) -> list[Shortfall]:
    most = limits.points
    if most is None or option.is_reference:
        return []
    if option.lost is None:
        return [Shortfall("points", "points lost not measured: the teacher was not scored")]
    if round(option.lost, 1) <= most:  # as printed
        return []
    text = f"loses {option.lost:.1f} points, at most {most:g} asked"
    return [Shortfall("points", text, option.lost / most if most else None)]


def _milliseconds(option: Option, limits: Limits) -> float | None:
    timed = option.time(limits.batch, limits.length)
    return None if timed is None else timed.median_ms


def _megabytes(size: int | None) -> float | None:
    return None if size is None else size / MEGABYTE
