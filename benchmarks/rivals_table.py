"""The README's comparison of methods, from what a sweep stored: means over its tasks, as a table and a picture.

python -m benchmarks.rivals_table                                                  prints the table as Markdown
python -m benchmarks.rivals_table --write README.md --picture assets/rivals/methods.svg
python -m benchmarks.rivals_table --check README.md                                exit code 1 where the file differs

A task counts once it has three quarters of the methods of the one that has most, so that a sweep under way has a table,
too; a method at a budget counts where all tasks that count have it, so that all means are over the same tasks. A
damaged file is an error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.sections import act, add_actions
from pruning.data import get_task
from pruning.errors import StoreError
from pruning.shipped import shipped
from pruning.sweep.plan import read_sweep
from pruning.sweep.result import CellResult, read_results
from pruning.variants import Variant
from slimviz import theme
from slimviz.charts.export import standing_alone, to_svg
from slimviz.charts.tradeoff_chart import Frames, Sides, tradeoff_chart
from slimviz.frames.axes import AXES, drawable, frontier, place, point_frame, seed_frame
from slimviz.frames.measured import Network, Point
from slimviz.frames.tradeoffs import points_of
from slimviz.theme import UNKNOWN, budget_title, kept_text, listing, percent_text, times_text

ROOT = Path(__file__).resolve().parent.parent
SWEEP = ROOT / "benchmarks" / "rivals.toml"
SECTION = "rivals"
MEASURE, AXIS = "above", "parameters"
HEADER = (
    "Method",
    "Budget",
    "Kept",
    "Kept above floor",
    "Not zero",
    "Bytes",
    "FLOPs",
    "Batch 1",
    "Batch 32",
    "Minutes",
)


def results_by_task(folder: Path, tasks: Iterable[str]) -> dict[str, tuple[CellResult, ...]]:
    """What a sweep stored, by task.

    Raises:
        StoreError: a file cannot be read.
    """
    found = {}
    for task in tasks:
        found[task], problems = read_results(folder, task)
        if problems:
            raise StoreError(problems[0])
    return found


def counted(results: Mapping[str, Sequence[CellResult]]) -> dict[str, Sequence[CellResult]]:
    """The tasks that count, and their results; see this module's first lines."""
    methods = {task: len({cell.cell.method for cell in found}) for task, found in results.items()}
    most = max(methods.values(), default=0)
    return {task: found for task, found in results.items() if found and 4 * methods[task] >= 3 * most}


def mean_points(results: Mapping[str, Sequence[CellResult]]) -> list[Point]:
    """Methods at budgets that all tasks have, seeds that all tasks have, each number the mean over the tasks."""
    by_task = [{point.name: point for point in points_of({}, found)} for found in results.values()]
    if not by_task:
        return []
    points = []
    for name in by_task[0]:
        if not all(name in points for points in by_task):
            continue
        each = [{one.seed: one for one in points[name].networks} for points in by_task]
        seeds = [seed for seed in each[0] if all(seed in networks for networks in each)]
        if seeds:
            points.append(Point(tuple(_mean_network([networks[seed] for networks in each]) for seed in seeds)))
    return points


def _mean_network(networks: Sequence[Network]) -> Network:
    """One network a task, as one."""

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(networks) else None

    first = networks[0]
    return replace(
        first,
        scores={name: mean(network.scores[name] for network in networks) for name in first.scores},
        costs={name: mean(network.costs.get(name) for network in networks) for name in first.costs},
        amounts={},
        interval=None,
    )


def table_text(results: Mapping[str, Sequence[CellResult]]) -> str:
    """Markdown: a row a method and budget, smaller budgets last, the best first."""
    made, results = sum(map(len, results.values())), counted(results)
    points = [point for point in mean_points(results) if not point.method.is_teacher]
    total = len(read_sweep(SWEEP))
    if not points:
        return f"No method has been made on all tasks yet ({made} of {total} cells are)."
    points.sort(key=lambda point: (-_budget(point), -(point.score(MEASURE) or 0)))
    rows = [_row(point, results) for point in points]
    rule = ["---", *(["---:"] * (len(HEADER) - 1))]
    lines = [f"| {' | '.join(cells)} |" for cells in (HEADER, rule, *rows)]
    return "\n\n".join(["\n".join(lines), _words(results, points, made, total)])


def _budget(point: Point) -> float:
    return float(point.first.budget or 100)


def _row(point: Point, results: Mapping[str, Sequence[CellResult]]) -> list[str]:
    cells = [cell for found in results.values() for cell in found if _is_of(cell, point)]
    return [
        point.method.title,
        budget_title(point.first.budget) if point.first.budget else UNKNOWN,
        _spread(point, "kept"),
        _spread(point, MEASURE),
        *(percent_text(point.cost(name)) for name in ("parameters", "bytes", "flops")),
        *(_speed(cells, batch) for batch in (1, 32)),
        f"{fmean(cell.minutes for cell in cells):.1f}",
    ]


def _is_of(cell: CellResult, point: Point) -> bool:
    return (cell.cell.method, cell.cell.budget.name) == (point.method.key, point.first.budget)


def _spread(point: Point, measure: str) -> str:
    """Mean over seeds, and their standard deviation where there are several."""
    values = [value for network in point.networks if (value := network.scores[measure]) is not None]
    text = kept_text(point.score(measure))
    return f"{text} ± {100 * stdev(values):.1f}" if len(values) > 1 else text


def _speed(cells: Sequence[CellResult], batch: int) -> str:
    """How many times as fast as the teacher, by the kernel that is fastest."""
    return times_text(fmean(1 / share for cell in cells if (share := cell.share_of_time(batch))))


def _words(results: Mapping[str, Sequence[CellResult]], points: Sequence[Point], made: int, total: int) -> str:
    """What the columns mean, and where the numbers come from."""
    cells = [cell for found in results.values() for cell in found]
    seeds = sorted({len(point.networks) for point in points if len(point.networks) > 1})
    spread = f" ± is the standard deviation over {listing([str(count) for count in seeds])} seeds." if seeds else ""
    machines = listing(list(dict.fromkeys(cell.made.hardware for cell in cells)))
    days = sorted({cell.made.date[:10] for cell in cells})
    commits = sorted({str(cell.made.commit) for cell in cells})
    tasks = listing([_task_words(name, found) for name, found in results.items()])
    shown = [cell for cell in cells if any(_is_of(cell, point) for point in points)]
    noted = f" Out of reach: {'; '.join(notes)}." if (notes := _notes(shown, len(results))) else ""
    steps = listing([f"{count:,}" for count in sorted({cell.cell.settings.recover.steps for cell in cells})])
    return (
        f"Means over {tasks}, on the validation split; seed 0.{spread} Kept: of the teacher's metric; bytes: in the "
        "layout that serves best, indices included; FLOPs: what a dense kernel executes; batch 1 and 32: the teacher's "
        "median over the network's by its fastest kernel, in turns on texts of 32 tokens, other cells being made at "
        f"the same time; minutes: what is the method's own. {steps} steps of training for every method that trains (a "
        f"quarter of them above 20% density). {made} of {total} cells are made; a method stands here where all these "
        f"tasks have it.{noted} `python -m pruning sweep benchmarks/rivals.toml --data glue`, commits "
        f"{listing(commits)}, {listing(days)}, {machines}."
    )


def _notes(cells: Iterable[CellResult], tasks: int) -> list[str]:
    """Which networks are larger than their budget, by the reason; of all tasks, or of those that are named."""
    tasks_of: dict[str, dict[Variant, list[str]]] = {}
    for cell in cells:
        if cell.note:
            why = cell.note.rpartition(": ")[2]  # how large they are is in the table
            tasks_of.setdefault(why, {}).setdefault(cell.cell.variant, []).append(get_task(cell.cell.task).title)
    said = []
    for why, found in tasks_of.items():
        names = [f"{variant}{'' if len(of) == tasks else f' of {listing(of)}'}" for variant, of in found.items()]
        said.append(f"{listing(names)} ({why})")
    return said


def _task_words(name: str, found: Sequence[CellResult]) -> str:
    rows = f"{found[0].data.train.rows:,} training rows, {found[0].data.validation.rows:,} validation" if found else ""
    return f"{get_task(name).title} ({rows})" if rows else get_task(name).title


def picture(results: Mapping[str, Sequence[CellResult]]) -> str:
    """An SVG: what is kept above the floor against parameters that are not zero, a line a method.

    Raises:
        StoreError: nothing can be drawn yet.
    """
    axis, results = AXES[AXIS], counted(results)
    points = drawable(mean_points(results), axis, MEASURE)
    if not points:
        raise StoreError(f"{SWEEP.name}: no method has been made on all tasks yet, nothing can be drawn")
    task = get_task(next(iter(results)))
    steps = frontier((point.name, *place(point, axis, MEASURE)) for point in points)
    frames = Frames(
        point_frame(points, axis, MEASURE, task),
        seed_frame(points, axis, MEASURE, task),
        point_frame([], axis, MEASURE, task),
        [steps],
    )
    sides = Sides(
        "Parameters that are not zero, of the teacher's", "Metric above floor, % of the teacher's", False, ".0%"
    )
    palette = theme.LIGHT
    chart = tradeoff_chart(frames, sides, {}, palette, has_legend=True)
    titles = listing([get_task(name).title for name in results])
    return to_svg(standing_alone(chart, titles if len(results) == 1 else f"Mean over {titles}", palette))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Methods side by side, from a sweep's results.")
    parser.add_argument("--results", type=Path, default=shipped("rivals"), help="of a sweep (default: what ships)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw them as this SVG file, too")
    add_actions(parser)
    options = parser.parse_args(arguments)

    def content() -> str:
        tasks = dict.fromkeys(cell.task for cell in read_sweep(SWEEP))
        results = results_by_task(options.results, tasks)
        if options.picture:
            options.picture.write_text(picture(results), encoding="utf-8")
        return table_text(results)

    return act(options, SECTION, content, "rivals_table")


if __name__ == "__main__":
    sys.exit(main())
