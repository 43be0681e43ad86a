"""A sweep's results as one table of text: rows are methods at a budget, columns tasks, and what a network costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev

from pruning.sweep.result import CellResult

HEADER = ("method", "budget", "density", "bytes", "FLOPs", "batch 1", "batch 32", "CSR 1", "CSR 32", "steps", "minutes")


def table(results: Iterable[CellResult]) -> list[str]:
    """Lines of a table: a row a method and budget, budgets from the largest on.

    A task's column has its main metric, the mean over seeds with their deviation where there are several. All else is a
    mean over the row's cells: "retention" of the metric over the teacher's, "above floor" of the same above the floor,
    and what a network costs as a share of the teacher's, or how many times as fast it is at a batch size ("CSR": on
    torch's sparse kernel, where that was timed).
    """
    groups: dict[tuple[float, str], list[CellResult]] = defaultdict(list)
    for result in results:
        groups[-result.cell.budget.value, result.cell.method].append(result)
    tasks = list(dict.fromkeys(result.cell.task for group in groups.values() for result in group))
    rows: list[tuple[str, ...]] = [(*HEADER[:2], *tasks, "retention", "above floor", *HEADER[2:])]
    best = {key: _mean([result.score.retention for result in group]) for key, group in groups.items()}
    for key in sorted(groups, key=lambda key: (key[0], -best[key])):
        group = groups[key]
        rows.append(
            (
                group[0].cell.method,
                group[0].cell.budget.name,
                *(_scores([result for result in group if result.cell.task == task]) for task in tasks),
                _percent([result.score.retention for result in group]),
                _percent([result.score.retention_above_floor for result in group]),
                _percent([result.density for result in group]),
                _percent([result.stored_density for result in group]),
                _percent([result.flop_ratio for result in group]),
                *(
                    _times([result.speedup(batch, kernel) for result in group])
                    for kernel in ("dense", "csr")
                    for batch in (1, 32)
                ),
                f"{fmean(result.steps for result in group):.0f}",
                f"{fmean(result.minutes for result in group):.1f}",
            )
        )
    noted = [result for group in groups.values() for result in group if result.note]
    return [*aligned(rows), *(f"{result.cell.name} {result.note}" for result in noted)]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows with their columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _scores(results: Sequence[CellResult]) -> str:
    values = [next(iter(result.score.metrics.values())) for result in results]
    if not values:
        return "-"
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float:
    known = _known(values)
    return fmean(known) if known else 0.0


def _percent(values: Iterable[float | None]) -> str:
    known = _known(values)
    return f"{fmean(known):.1%}" if known else "-"


def _times(values: Iterable[float | None]) -> str:
    known = _known(values)
    return f"{fmean(known):.1f}x" if known else "-"
