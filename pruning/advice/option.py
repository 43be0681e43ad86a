"""A stored network in a runtime as an option: what was measured of it there, and how it is had."""

from __future__ import annotations

from collections.abc import Iterator

from pruning.measure.intervals import Interval
from pruning.records import AboveZero, Count, Positive, Record, Text
from pruning.runtimes.registry import REFERENCE
from pruning.variants import Variant


class Timed(Record, frozen=True, kw_only=True):
    """Milliseconds of a batch on one machine.

    Attributes:
        batch: texts.
        length: tokens of each.
        median_ms: over runs.
        device: as torch names it.
        threads: of the CPU.
        hardware: of the machine, one line.
    """

    batch: Positive
    length: Positive
    median_ms: AboveZero
    device: Text
    threads: Positive
    hardware: Text

    @property
    def machine(self) -> str:
        """What the milliseconds hold for; those of two machines do not compare."""
        device = "" if self.device == "cpu" else f"{self.device} of "
        return f"{device}{self.hardware}, {self.threads} thread{'' if self.threads == 1 else 's'}"


class Option(Record, frozen=True, kw_only=True):
    """A stored network in a runtime, by what was measured of it there.

    Attributes:
        study: as a command takes it, a name or a folder.
        task: its title.
        rows: checksum of those that it was scored on; other rows' scores do not compare.
        variant: which network.
        runtime: name of what computes.
        metric: title of the main one.
        score: by it.
        count: examples.
        correct: how many were right, where that is what the metric counts.
        floor: what knowing nothing scores.
        lost: points against the teacher in torch; below zero where it is better, None where that was not scored.
        interval: of the difference to it; None for that one itself.
        budget: what it was cut to, as ``--budgets`` takes it; None for the teacher and other kinds of budgets.
        size_bytes: on disk, with tokenizer, in the form that the runtime reads (torch: half precision); None where it
            was not measured.
        memory_bytes: at most, to load it and answer a batch; likewise.
        times: by batch and length, and perhaps by machine.
        command: that exports the network, or makes the study again with its weights; None where neither can be told.
        then: Python that makes the network compute so, once what was exported is loaded; None where nothing has to.
        is_stored: whether its weights are in the study.
    """

    study: Text
    task: Text
    rows: Text
    variant: Variant
    runtime: Text = REFERENCE.name
    metric: Text
    score: float
    count: Positive
    correct: Count | None
    floor: float
    lost: float | None
    interval: Interval | None
    budget: float | None
    size_bytes: Count | None
    memory_bytes: Count | None
    times: tuple[Timed, ...]
    command: Text | None
    then: Text | None = None
    is_stored: bool

    @property
    def is_reference(self) -> bool:
        """Whether it is what the others are held against."""
        return self.variant.is_teacher and self.runtime == REFERENCE.name

    def time(self, batch: int, length: int) -> Timed | None:
        """Milliseconds of so many texts of so many tokens at once, on the first machine; None where none timed that."""
        return next((one for one in self.times if (one.batch, one.length) == (batch, length)), None)

    def by_machine(self, batch: int, length: int) -> Iterator[Option]:
        """The same once a machine that timed so many texts of so many tokens at once; itself where none did."""
        first: dict[str, Timed] = {}
        for one in self.times:
            if (one.batch, one.length) == (batch, length):
                first.setdefault(one.machine, one)
        yield from (self.replace(times=(one,)) for one in first.values())
        if not first:
            yield self
