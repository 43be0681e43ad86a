"""``python -m pruning ablate mrpc --data glue``: is the head map true? Heads gated off in each criterion's order."""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import perf_counter
from typing import Any

from pruning.cli import machine, stored
from pruning.cli.options import Command, add_columns, add_json, add_label, add_machine, add_stored, count, path
from pruning.cli.printing import say, show, show_json
from pruning.errors import ConfigError
from pruning.records import to_plain
from pruning.variants import TEACHER


def add_options(command: argparse.ArgumentParser) -> None:
    """Which study, on which rows, and what becomes of the curves."""
    add_stored(command)
    command.add_argument(
        "--data", type=path, metavar="SOURCE", help='"hub", "probe" or a folder; default: $SLIMVIZ_GLUE, else "hub"'
    )
    command.add_argument("--train-file", type=path, metavar="FILE", help="your own training rows instead of GLUE's")
    command.add_argument("--validation-file", type=path, metavar="FILE", help="your own rows to report on")
    add_columns(command)
    add_label(command)
    command.add_argument(
        "--split",
        action="append",
        metavar="NAME",
        help='"train" (which criterion is true is chosen there) or a validation split (reported only); may be '
        "repeated; default: both",
    )
    command.add_argument(
        "--rows", type=count, default=1000, metavar="N", help="most rows of a split, drawn with a seed; of train, 512"
    )
    command.add_argument(
        "--gather", action="store_true", help="also compute the criteria of the teacher that the study does not store"
    )
    command.add_argument(
        "--precision", choices=("auto", "float32", "bfloat16"), default="auto", help="that the teacher computes in"
    )
    command.add_argument("--store", action="store_true", help="keep the curves of stored criteria in the study")
    add_machine(command)
    add_json(command)


def ablate(options: argparse.Namespace) -> int:
    """Measure the teacher's curves and print a table a split."""
    if options.store and options.gather:
        raise ConfigError(
            "--store with --gather: a study keeps curves of criteria that it stores, expected one of them"
        )
    study = stored.find_study(options.study)
    splits = _splits(study, options)
    if options.gather and "train" not in splits:
        raise ConfigError("--gather: takes gradients on training rows, expected train among the splits")
    grounds = _grounds(study, splits, options)
    device = machine.prepare(options)

    from pruning.measure.gating import ablate as measured
    from pruning.measure.gating import head_importance
    from pruning.study import keep_ablations, load_factors
    from pruning.study.networks import load_network

    network = load_network(study, TEACHER, device=device)
    factors = load_factors(study)
    if options.gather:
        factors = replace(factors, by_criterion=_gathered(study, network, splits["train"]) | factors.by_criterion)
    say("the teacher's heads are gated off; a slimmed network is not stored, so its curves come from `run` alone")
    found = []
    for ground in grounds:
        start = perf_counter()
        found.append(measured(network, "teacher", head_importance(factors), ground))
        said = f"{ground.split}: {len(ground.examples)} examples, {ground.examples.origin}"
        say(f"{said}: {perf_counter() - start:.0f} s")
        if not options.json:
            _show(found[-1])
    if options.json:
        show_json({"study": study.name, "ablations": [_plain(one) for one in found]})
    if options.store:
        keep_ablations(study.folder, found)
        say(f"stored in {study.folder}")
    return 0


def _splits(study: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Examples by split: of the files that are named, or of GLUE's splits."""
    from pruning.data import default_source, load_examples, load_file

    task = study.task
    files = {"train": options.train_file, task.validation[0]: options.validation_file}
    if any(files.values()):
        columns = (options.text, options.pair, options.label)
        return {split: load_file(file, *columns, task=task)[0] for split, file in files.items() if file}
    source = options.data or default_source()
    return {split: load_examples(task, split, source) for split in options.split or files}


def _grounds(study: Any, splits: dict[str, Any], options: argparse.Namespace) -> list[Any]:
    """As a study draws its rows: for the choice rather none that gradients were taken on."""
    from pruning.measure.gating import CHOICE_ROWS, RANDOM_ORDERS, Ground, drawn_apart
    from pruning.training.context import resolve_precision

    precision, seed = resolve_precision(options.precision), study.document.config.seed
    grounds = []
    for split, examples in splits.items():
        is_choice = split == "train"
        rows, drawn_by = (min(options.rows, CHOICE_ROWS), seed) if is_choice else (options.rows, 0)
        orders = 0 if is_choice else RANDOM_ORDERS
        grounds.append(Ground(study.task, split, drawn_apart(examples, rows, drawn_by), drawn_by, orders, precision))
    return grounds


def _gathered(study: Any, network: Any, train: Any) -> dict[str, Any]:
    """All criteria that need no slimmed network, from training rows."""
    from pruning.importance.gather import teacher_criteria

    is_regression, seed = study.task.is_regression, study.document.config.seed
    return teacher_criteria(network.model, network.encode(train), is_regression=is_regression, seed=seed)


def _plain(one: Any) -> dict[str, Any]:
    """A table as JSON, with what follows from its curves."""
    derived = {
        name: {
            "area": area,
            "kept": one.kept(name),
            "kept_above_floor_at_half": one.kept_at_half(name),
            "better": one.better_than(name),
            "beats_chance": one.beats_chance(name),
        }
        for name, area in one.areas.items()
    }
    chance = {"kept": one.kept_at_random, "kept_above_floor_at_half": one.kept_at_half_at_random}
    return to_plain(one) | {"best": one.best, "criteria": derived, "chance": chance}


def _show(one: Any) -> None:
    show(
        f"{one.network} on {one.split}: {one.rows} rows, {one.metric} {one.whole:.4f} with all heads, floor "
        f"{one.floor:.4f}, {one.precision}"
    )
    show(
        f"  {'least important first':<22} area    kept   half   {one.metric} with {', '.join(map(str, one.gated))} off"
    )
    for name, area in one.areas.items():
        _line(name, f"{area:+.4f}", one.kept(name), one.kept_at_half(name), one.curves[name].least_first)
    rest = zip(one.random, one.kept_at_random, one.kept_at_half_at_random, strict=True)
    for number, (points, kept, half) in enumerate(rest):
        _line(f"at random, {number}", "", kept, half, points)


def _line(name: str, area: str, kept: float, half: float | None, points: tuple[float, ...]) -> None:
    left = "" if half is None else f"{half:.1%}"
    show(f"  {name:<22} {area:<7} {kept:<6.1%} {left:<6} {' '.join(f'{point:.3f}' for point in points)}")


COMMAND = Command(
    "ablate", "gate a teacher's heads off by each criterion: does the map tell the truth", add_options, ablate
)
