"""What is stored of a cell: numbers, one JSON file, no weights; each column says what it counts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from pruning.errors import StoreError
from pruning.measure.cost import Flops
from pruning.measure.metrics import Metrics
from pruning.measure.scoring import Score
from pruning.measure.storage import Stored
from pruning.methods.registry import Family
from pruning.record_files import read_record, read_records, write_record
from pruning.records import AboveZero, Count, NonNegative, Positive, Record, Sha256, Text
from pruning.study.document import DataRecord
from pruning.sweep.plan import Cell
from pruning.variants import TEACHER

SCHEMA = 1
WHAT = "a sweep's result"  # in messages


class Time(Record, frozen=True, kw_only=True):
    """Milliseconds of a batch, the cell's networks timed in turns.

    Attributes:
        kernel: "teacher", "dense" (the network as torch runs it), or another kernel that runs it.
        batch: texts.
        length: tokens of each.
        median_ms: of `runs` batches.
        p95_ms: 95th percentile.
        runs: timed batches.
    """

    kernel: Text
    batch: Positive
    length: Positive
    median_ms: AboveZero
    p95_ms: AboveZero
    runs: Positive


class Making(Record, frozen=True, kw_only=True):
    """Where and when a cell was made: all that may differ between two runs that are equal otherwise.

    Attributes:
        seconds: stage -> seconds spent on the method's own stages.
        shared_seconds: the same of what it shares with all methods.
        times: see `Time`.
        date: ISO 8601.
        commit: of the code; "+" at its end where files were changed since.
        hardware: one line.
        libraries: name -> version.
        threads: of the CPU.
        workers: cells that were made at the same time, which disturb each other's clock.
    """

    seconds: dict[str, NonNegative]
    shared_seconds: dict[str, NonNegative]
    times: tuple[Time, ...]
    date: Text
    commit: Text | None
    hardware: Text
    libraries: dict[str, Text]
    threads: Positive
    workers: Positive


class CellResult(Record, frozen=True, kw_only=True):
    """One network of a sweep.

    Attributes:
        schema: version of this layout.
        cell: what was asked for.
        family: of the method.
        note: what a reader must know, such as a budget that the method cannot reach.
        backbone_sha256: of the weights that the teacher started from.
        precision: that training computed in.
        data: what was learned from and reported on.
        floor: metric -> what knowing nothing scores on the first validation split.
        scores: of the teacher and the network, on each validation split.
        weights_sha256: of all tensors that are saved.
        stored: what the network takes to store, and its non-zero parameters.
        teacher_stored: the teacher's.
        flops: that a dense kernel executes for one text.
        teacher_flops: the teacher's.
        size_bytes: of its folder as it is saved (half precision, zeros included, with tokenizer); None where it cannot.
        steps: batches of training that were the method's own.
        made: see `Making`.
    """

    schema: Literal[1] = SCHEMA
    cell: Cell
    family: Family
    note: Text = ""
    backbone_sha256: Sha256
    precision: Literal["float32", "bfloat16"]
    data: DataRecord
    floor: Metrics
    scores: tuple[Score, ...]
    weights_sha256: Sha256
    stored: Stored
    teacher_stored: Stored
    flops: Flops
    teacher_flops: Flops
    size_bytes: Count | None
    steps: Count
    made: Making

    @property
    def score(self) -> Score:
        """The network's, on the first validation split."""
        return next(score for score in self.scores if score.variant != TEACHER)

    @property
    def teacher(self) -> Score:
        """The teacher's, on the same."""
        return next(score for score in self.scores if score.variant == TEACHER)

    @property
    def density(self) -> float:
        """Non-zero parameters, of the teacher's."""
        return self.stored.nonzero / self.teacher_stored.parameters

    @property
    def encoder_density(self) -> float:
        """The same of the layers alone."""
        return self.stored.encoder_nonzero / self.teacher_stored.encoder_parameters

    @property
    def stored_density(self) -> float:
        """Bytes in the layout that serves best, of the teacher's."""
        return self.stored.bytes / self.teacher_stored.bytes

    @property
    def flop_ratio(self) -> float:
        """Operations that a dense kernel executes, of the teacher's."""
        return self.flops.total / self.teacher_flops.total

    @property
    def minutes(self) -> float:
        """Spent on what is the method's own."""
        return sum(self.made.seconds.values()) / 60

    def speedup(self, batch: int, kernel: str = "dense") -> float | None:
        """The teacher's median over a kernel's; None where that was not timed."""
        found = {time.kernel: time.median_ms for time in self.made.times if time.batch == batch}
        return found["teacher"] / found[kernel] if {"teacher", kernel} <= found.keys() else None

    def share_of_time(self, batch: int) -> float | None:
        """The median by the kernel that is fastest, for zeros perhaps a sparse one, of the teacher's; None untimed."""
        found = {time.kernel: time.median_ms for time in self.made.times if time.batch == batch}
        teacher = found.pop("teacher", None)
        return min(found.values()) / teacher if teacher and found else None

    def without_making(self) -> bytes:
        """All that two runs must have alike, to the bit."""
        plain = msgspec.to_builtins(self)
        del plain["made"]
        return msgspec.json.encode(plain)


def path_of(folder: Path, cell: Cell) -> Path:
    """Where a cell's result lies: ``<folder>/<task>/<variant>.json``."""
    return folder / f"{cell.name}.json"


def write_result(folder: Path, result: CellResult) -> None:
    """Write a result aside and rename it, on one line: hundreds of them ship."""
    write_record(path_of(folder, result.cell), result, indent=-1)


def read_result(path: Path) -> CellResult:
    """A stored result, every value checked; StoreError, one line, where it is none."""
    return read_record(path, CellResult, WHAT)


def read_results(folder: Path, task: str) -> tuple[tuple[CellResult, ...], tuple[str, ...]]:
    """All results of a task in a sweep's folder, and a line for each that cannot be read."""
    return read_records(sorted((folder / task).glob("*.json")), CellResult, WHAT)


def state_of(folder: Path, cell: Cell) -> str:
    """What there is of a cell: "done", "other settings" (made with others than these), "damaged" or "to do"."""
    path = path_of(folder, cell)
    if not path.is_file():
        return "to do"
    try:
        return "done" if read_result(path).cell == cell else "other settings"
    except StoreError:
        return "damaged"
