"""Whether other programs take the processor while something is timed: milliseconds of a busy machine mean little."""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")  # Linux; elsewhere nobody knows, and nothing is said
COUNTED = (0, 1, 2, 5, 6, 7)  # user, nice, system, interrupts (two) and stolen time; not idle or waiting for a disk
SPARE = 0.25  # cores that others may take beyond those that are left free
SHORTEST = 0.5  # seconds: the kernel counts in hundredths


class OthersAtWork:
    """From now on, how many cores other programs keep busy on average."""

    def __init__(self) -> None:
        self._start = _now()

    def cores(self) -> float | None:
        """Cores that others took since the start; None where that cannot be known (yet)."""
        end = _now()
        if end is None or self._start is None or end[0] - self._start[0] < SHORTEST:
            return None
        elapsed, busy, own = (after - before for after, before in zip(end, self._start, strict=True))
        return max(0.0, (busy - own) / elapsed)


def are_in_the_way(others: float | None, threads: int, cores: int | None = None) -> bool:
    """Whether others took cores that a measurement needed: more than it leaves free.

    Args:
        others: cores that they took.
        threads: that it computes with.
        cores: of the machine; its own by default.
    """
    cores = cores or os.cpu_count() or 1
    return others is not None and others > max(0, cores - threads) + SPARE


def _now() -> tuple[float, float, float] | None:
    """Clock, seconds that all cores were busy, and those of this process."""
    try:
        fields = STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        busy = sum(float(fields[place]) for place in COUNTED) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return time.monotonic(), busy, time.process_time()
