"""A sweep on this machine: cells one after another, or on several workers, each pinned to processor cores of its own.

A worker is a process that is sent cells and answers how they went. One that dies is replaced, and its cell is tried
again; if the sweep itself dies, its workers end with the cells that they are at.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from pruning.errors import SlimVizError
from pruning.sweep.place import Place
from pruning.sweep.plan import Cell

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

TRIES = 2  # of a cell whose worker died
PATIENCE = 10.0  # seconds that a worker has to end by itself
Prepare = Callable[[], Any]


@dataclass(frozen=True)
class Outcome:
    """How a cell went.

    Attributes:
        cell: which.
        error: what kept it from being made, in one line; "" where nothing did.
    """

    cell: Cell
    error: str = ""


def one_by_one(cells: Iterable[Cell], place: Place) -> Iterator[Outcome]:
    """Make cells in this process, in their order."""
    from pruning.sweep.cell import Workshop

    workshop = Workshop(place)
    for cell in cells:
        yield _tried(workshop, cell)


def _tried(workshop: Any, cell: Cell) -> Outcome:
    try:
        workshop.make(cell)
    except SlimVizError as error:  # of this cell; the others may be in order
        return Outcome(cell, str(error))
    return Outcome(cell)


def side_by_side(cells: Sequence[Cell], place: Place, prepare: Prepare) -> Iterator[Outcome]:
    """Make cells on `place.workers` workers; outcomes come as they are known.

    Args:
        cells: in the order that they are begun in, but for those that would wait for another's teacher.
        place: where to work.
        prepare: called first in each worker; a function of a module.
    """
    waiting, warm, tries = list(cells), set[str](), dict[Cell, int]()
    cores = core_sets(sorted(_cores()), place.workers)
    workers = [_Worker(place, own, prepare) for own in cores[: len(waiting)]]
    try:
        while waiting or any(worker.cell for worker in workers):
            for worker in workers:
                cold = {other.cell.task for other in workers if other.cell} - warm
                place_of_next = next_cell(waiting, cold)
                if worker.cell is None and place_of_next is not None:
                    worker.send(waiting.pop(place_of_next))
            busy = {worker.connection: worker for worker in workers if worker.cell}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                cell, outcome = worker.receive()
                if outcome is not None:
                    warm.add(cell.task)
                    yield outcome
                    continue
                workers[workers.index(worker)] = _Worker(place, worker.cores, prepare)
                tries[cell] = tries.get(cell, 0) + 1
                if tries[cell] < TRIES:
                    waiting.insert(0, cell)
                else:
                    yield Outcome(cell, f"{cell.name}: its worker died {TRIES} times, expected enough memory for it")
    finally:
        for worker in workers:
            worker.stop()


def next_cell(waiting: Sequence[Cell], cold: set[str]) -> int | None:
    """The first cell whose task's teacher is not being trained by another worker just now; None where there is none."""
    return next((place for place, cell in enumerate(waiting) if cell.task not in cold), None)


def core_sets(cores: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """Cores dealt to workers, as evenly as can be; shared where there are fewer cores than workers."""
    if len(cores) < workers:
        return [(cores[number % len(cores)],) for number in range(workers)]
    bounds = [number * len(cores) // workers for number in range(workers + 1)]
    return [tuple(cores[first:last]) for first, last in pairwise(bounds)]


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


@dataclass(eq=False)
class _Worker:
    """A worker as the sweep sees it."""

    place: Place
    cores: tuple[int, ...]
    prepare: Prepare
    cell: Cell | None = None
    connection: Connection = field(init=False)
    process: SpawnProcess = field(init=False)

    def __post_init__(self) -> None:
        context = get_context("spawn")  # a fork would copy threads' locks
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.place, self.cores, self.prepare), daemon=True)
        self.process.start()
        theirs.close()

    def send(self, cell: Cell) -> None:
        """Have a cell made; a worker that is dead already is found out about when its answer is asked for."""
        self.cell = cell
        with suppress(OSError):
            self.connection.send(cell)

    def receive(self) -> tuple[Cell, Outcome | None]:
        """The cell that it was at, and how that went; None where the worker died."""
        cell, self.cell = self.cell, None
        assert cell is not None  # noqa: S101 - only busy workers are asked
        try:
            return cell, self.connection.recv()
        except (EOFError, OSError):
            self.stop()
            return cell, None

    def stop(self) -> None:
        """End it: by itself where it waits for a cell, at once where it is at one."""
        self.connection.close()
        self.process.join(0 if self.cell else PATIENCE)
        self.process.terminate()
        self.process.join()


def serve(connection: Connection, place: Place, cores: tuple[int, ...], prepare: Prepare) -> None:
    """What a worker does: make the cells that it is sent, until nobody sends any more."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(place.threads)
    prepare()
    from pruning.sweep.cell import Workshop

    workshop = Workshop(place)
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            connection.send(_tried(workshop, connection.recv()))
