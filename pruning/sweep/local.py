"""A sweep on this machine: cells one after another, or by processes that are pinned to processor cores of their own.

A process is sent cells and answers how they went; if the sweep itself dies, each ends with the cell that it is at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait

from pruning.sweep.place import Place
from pruning.sweep.plan import Cell
from pruning.sweep.schedule import Outcome, Prepare, tried

PATIENCE = 10.0  # seconds that a worker has to end by itself


def one_by_one(cells: Iterable[Cell], place: Place) -> Iterator[Outcome]:
    """Make cells in this process, in their order."""
    from pruning.sweep.cell import Workshop

    workshop = Workshop(place)
    for cell in cells:
        yield tried(workshop.make, cell)


class LocalCrew:
    """Processes on this machine.

    Args:
        place: where to work; its workers share the cores that this process may use.
        prepare: see `Prepare`.
    """

    def __init__(self, place: Place, prepare: Prepare) -> None:
        self.place, self.prepare = place, prepare
        self.cores = core_sets(sorted(_cores()), place.workers)

    def hire(self, number: int) -> LocalWorker:
        """Start a process on this worker's cores."""
        return LocalWorker(self.place, self.cores[number], self.prepare)

    def done(self, busy: Sequence[LocalWorker]) -> list[LocalWorker]:
        """Those whose pipe has an answer, or is closed."""
        ready = wait([worker.connection for worker in busy])
        return [worker for worker in busy if worker.connection in ready]


class LocalWorker:
    """One process, as the sweep sees it.

    Args:
        place: where to work.
        cores: that it may use.
        prepare: see `Prepare`.
    """

    def __init__(self, place: Place, cores: tuple[int, ...], prepare: Prepare) -> None:
        context = get_context("spawn")  # a fork would copy threads' locks
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, place, cores, prepare), daemon=True)
        self.process.start()
        theirs.close()
        self.is_busy = False

    def send(self, cell: Cell) -> None:
        """See `Worker`."""
        self.is_busy = True
        with suppress(OSError):
            self.connection.send(cell)

    def receive(self) -> Outcome | None:
        """See `Worker`."""
        self.is_busy = False
        with suppress(EOFError, OSError):
            return self.connection.recv()
        return None

    def stop(self) -> None:
        """End it: by itself where it waits for a cell, at once where it is at one."""
        self.connection.close()
        self.process.join(0 if self.is_busy else PATIENCE)
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
            connection.send(tried(workshop.make, connection.recv()))


def core_sets(cores: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """Cores dealt to workers, as evenly as can be; shared where there are fewer cores than workers."""
    if len(cores) < workers:
        return [(cores[number % len(cores)],) for number in range(workers)]
    bounds = [number * len(cores) // workers for number in range(workers + 1)]
    return [tuple(cores[first:last]) for first, last in pairwise(bounds)]


def _cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
