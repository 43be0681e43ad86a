"""Where a sweep works, and with what."""

from __future__ import annotations

from pruning.records import Positive, Record


class Place(Record, frozen=True):
    """What cells share besides their settings.

    Attributes:
        output: folder of results.
        runs: folder of stages; may be deleted afterwards.
        source: of examples, as for `load_examples`.
        device: as torch names it.
        threads: of the CPU, for each worker.
        workers: how many cells are made at the same time.
    """

    output: str
    runs: str
    source: str
    device: str = "cpu"
    threads: Positive = 1
    workers: Positive = 1
