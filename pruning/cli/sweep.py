"""``python -m pruning sweep benchmarks/rivals.toml``: many methods, tasks, budgets and seeds, each cell made once."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pruning.cli import machine
from pruning.cli.options import Command, add_json, count, path
from pruning.cli.printing import say, show, show_json


def add_options(command: argparse.ArgumentParser) -> None:
    """What to make, where, and on how many workers."""
    command.add_argument(
        "file", type=path, help="a TOML file: settings, and cells of tasks, methods, budgets and seeds"
    )
    command.add_argument(
        "--data",
        type=path,
        metavar="SOURCE",
        help='where GLUE is: "hub", or a folder; default: $SLIMVIZ_GLUE, else "hub"',
    )
    command.add_argument(
        "--output", type=path, default="assets/rivals", metavar="FOLDER", help="results, a JSON file a cell"
    )
    command.add_argument("--runs", type=path, default="runs", metavar="FOLDER", help="stages, shared with `run`")
    command.add_argument("--dry-run", action="store_true", help="list every cell with its state and make none")
    command.add_argument(
        "--workers", type=count, default=1, metavar="N", help="processes, each on processor cores of its own"
    )
    command.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="who the workers are: processes of this machine, or actors of the Ray cluster that RAY_ADDRESS names",
    )
    command.add_argument("--threads", type=count, default=1, metavar="N", help="of each worker; results depend on them")
    command.add_argument("--device", default="auto", help='as for `run`; "auto": a CUDA GPU where there is one')
    add_json(command)


def sweep(options: argparse.Namespace) -> int:
    """Make the cells that are not made yet; print the table of all."""
    from pruning.sweep.plan import read_sweep
    from pruning.sweep.result import state_of

    output = Path(options.output)
    cells = read_sweep(Path(options.file))
    states = {cell: state_of(output, cell) for cell in cells}
    if options.dry_run:
        if options.json:
            show_json([{"cell": cell.name, "state": state} for cell, state in states.items()])
        else:
            _show_states(states)
        return 0
    waiting = [cell for cell, state in states.items() if state != "done"]
    failed = _make(waiting, options, len(cells)) if waiting else []
    _show_results(cells, output, options.json)
    for outcome in failed:
        say(f"{outcome.cell.name} was not made: {outcome.error}")
    return 1 if failed else 0


def _make(waiting: Sequence[Any], options: argparse.Namespace, total: int) -> list[Any]:
    """Make cells, with a line for each; those that could not be made."""
    from pruning.data import default_source
    from pruning.sweep.local import one_by_one
    from pruning.sweep.place import Place

    device = machine.prepare_training(options)
    place = Place(
        output=options.output,
        runs=options.runs,
        source=options.data or default_source(),
        device=device,
        threads=options.threads,
        workers=options.workers,
    )
    done, failed = total - len(waiting), []
    say(f"{total} cells, {done} of them done")
    outcomes = _on_workers(waiting, place, options.engine) if _has_workers(options) else one_by_one(waiting, place)
    for outcome in outcomes:
        done += 1
        say(f"[{done}/{total}] {outcome.cell.name}{': ' if outcome.error else ''}{outcome.error}")
        if outcome.error:
            failed.append(outcome)
    return failed


def _has_workers(options: argparse.Namespace) -> bool:
    return options.workers > 1 or options.engine == "ray"


def _on_workers(waiting: Sequence[Any], place: Any, engine: str) -> Iterator[Any]:
    from pruning.sweep.schedule import side_by_side

    if engine == "ray":
        from pruning.sweep.on_ray import RayCrew as Crew
    else:
        from pruning.sweep.local import LocalCrew as Crew
    return side_by_side(waiting, Crew(place, machine.quieten), place.workers)


def _show_states(states: dict[Any, str]) -> None:
    width = max(len(cell.name) for cell in states)
    for cell, state in states.items():
        show(f"{cell.name:<{width}}  {state}")
    counts = {state: list(states.values()).count(state) for state in dict.fromkeys(states.values())}
    show(f"{len(states)} cells: {', '.join(f'{number} {state}' for state, number in counts.items())}")


def _show_results(cells: Sequence[Any], output: Path, as_json: bool) -> None:
    from pruning.records import to_plain
    from pruning.sweep.result import path_of, read_result, state_of
    from pruning.sweep.table import table

    results = [read_result(path_of(output, cell)) for cell in cells if state_of(output, cell) == "done"]
    if as_json:
        show_json([to_plain(result) for result in results])
    elif results:
        for line in table(results):
            show(line)


COMMAND = Command("sweep", "make many networks: tasks, methods, budgets and seeds side by side", add_options, sweep)
