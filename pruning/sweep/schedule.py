"""Which worker makes which cell when: the same for workers on this machine and on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pruning.errors import SlimVizError
from pruning.sweep.plan import Cell

TRIES = 2  # of a cell whose worker died
Prepare = Callable[[], Any]  # what a worker calls first; a function of a module


@dataclass(frozen=True)
class Outcome:
    """How a cell went.

    Attributes:
        cell: which.
        error: what kept it from being made, in one line; "" where nothing did.
    """

    cell: Cell
    error: str = ""


def tried(make: Callable[[Cell], Any], cell: Cell) -> Outcome:
    """Make a cell; what is wrong with it is no reason to leave the others."""
    try:
        make(cell)
    except SlimVizError as error:
        return Outcome(cell, str(error))
    return Outcome(cell)


class Worker(Protocol):
    """Somebody who makes one cell after another."""

    def send(self, cell: Cell) -> None:
        """Have a cell made; whether that worker still lives is found out when its answer is asked for."""

    def receive(self) -> Outcome | None:
        """How the cell went that it was sent; None where the worker died."""

    def stop(self) -> None:
        """End it, whatever it is at."""


class Crew(Protocol):
    """Workers, and who among them is done."""

    def hire(self, number: int) -> Worker:
        """A new worker in this place."""
        ...

    def done(self, busy: Sequence[Any]) -> list[Any]:
        """Those that have an answer, or died; waits for one."""
        ...


def side_by_side(cells: Sequence[Cell], crew: Crew, workers: int) -> Iterator[Outcome]:
    """Have cells made by several workers; outcomes come as they are known.

    A worker that dies is replaced, and its cell is tried again.

    Args:
        cells: in the order that they are begun in, but for those that would wait for another's teacher.
        crew: of workers.
        workers: how many.
    """
    waiting, warm, deaths = list(cells), set[str](), dict[Cell, int]()
    team = {number: crew.hire(number) for number in range(min(workers, len(waiting)))}
    at: dict[int, Cell] = {}  # what each is at
    try:
        while waiting or at:
            for number, worker in team.items():
                place = None if number in at else next_cell(waiting, {cell.task for cell in at.values()} - warm)
                if place is not None:
                    at[number] = waiting.pop(place)
                    worker.send(at[number])
            for worker in crew.done([team[number] for number in at]):
                number = next(number for number, one in team.items() if one is worker)
                outcome, cell = worker.receive(), at.pop(number)
                if outcome is not None:
                    warm.add(cell.task)
                    yield outcome
                    continue
                worker.stop()
                team[number] = crew.hire(number)
                deaths[cell] = deaths.get(cell, 0) + 1
                if deaths[cell] < TRIES:
                    waiting.insert(0, cell)
                else:
                    yield Outcome(cell, f"{cell.name}: its worker died {TRIES} times, expected enough memory for it")
    finally:
        for worker in team.values():
            worker.stop()


def next_cell(waiting: Sequence[Cell], cold: set[str]) -> int | None:
    """The first cell whose task's teacher is not being trained by another worker just now; None where there is none."""
    return next((place for place, cell in enumerate(waiting) if cell.task not in cold), None)
