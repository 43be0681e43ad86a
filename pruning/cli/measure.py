"""``python -m pruning measure sst2 --data glue``: a stored study's networks on labelled examples.

``measure --all --data glue`` scores those of every study on its own splits, and says where what is stored differs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pruning.cli import machine, stored
from pruning.cli.options import (
    Command,
    add_columns,
    add_json,
    add_label,
    add_machine,
    add_stored,
    add_teacher,
    add_variants,
    path,
)
from pruning.cli.printing import results_json, say, show, show_json, show_results
from pruning.errors import ConfigError
from pruning.given import numbered_in
from pruning.variants import TEACHER

if TYPE_CHECKING:
    from pruning.measure.scoring import Score
    from pruning.study.study import Study

SAME = 1e-4  # of a correlation, whose sums another processor rounds otherwise; counts are the same to the last example


def add_options(command: argparse.ArgumentParser) -> None:
    """What is measured, on which examples."""
    add_stored(command, optional=True)
    command.add_argument(
        "--all",
        action="store_true",
        help="every study that `list` finds, on its own splits; exit code 2 where a score is not the stored one",
    )
    command.add_argument(
        "--data", type=path, metavar="SOURCE", help='"hub", "probe" or a folder; default: $SLIMVIZ_GLUE, else "hub"'
    )
    command.add_argument(
        "--validation-file", type=path, metavar="FILE", help="your own labelled examples instead of GLUE's"
    )
    add_columns(command)
    add_label(command)
    add_variants(command)
    add_teacher(command)
    add_machine(command)
    add_json(command)


def measure(options: argparse.Namespace) -> int:
    """Score every network on every split and print a line each."""
    from pruning.data import TASKS, default_source, load_examples, load_file

    if options.all:
        return measure_all(options)
    if options.study is None:
        raise ConfigError("measure: expected a study, or --all")
    study = stored.find_study(options.study)
    task = study.task
    if options.validation_file:
        columns = (options.text, options.pair, options.label if task.is_labelled else None)
        may_be_numbers = numbered_in(study.document.config, task)
        examples, _ = load_file(options.validation_file, *columns, task=task, numbered=may_be_numbers)
        splits = {Path(options.validation_file).name: examples}
    elif task.name not in TASKS and options.data is None:
        raise ConfigError(f"measure: {study.name} is of a task of its own, expected --validation-file FILE")
    else:
        source = options.data or default_source()
        names = task.validation if source != "probe" else task.validation[:1]
        splits = {name: load_examples(task, name, source) for name in names}
    device = machine.prepare(options)

    from pruning.measure.answers import answered
    from pruning.measure.scoring import score
    from pruning.study.notes import notes

    networks = stored.load_networks(study, options.variant, device, options.teacher)
    results = []
    for split, examples in splits.items():
        say(f"{split}: {len(examples)} examples, {examples.origin}")
        if not task.is_labelled:
            if TEACHER not in networks:
                raise ConfigError(f"measure: {study.name} has no labels, expected its teacher among the networks")
            examples = answered(task, networks[TEACHER], examples)
        results += score(task, networks, examples, split, seed=study.document.provenance.seed)
    if options.json:
        show_json({"study": study.name, "results": results_json(results)})
    else:
        show_results(task, results)
        for note in notes(study.document, study.name):
            say(note)
    return 0


def measure_all(options: argparse.Namespace) -> int:
    """Score the networks of every study of a GLUE task, and compare with what is stored.

    Returns:
        0 where all scores are the stored ones; 2 where one is not, or a study is broken.
    """
    from pruning.data import TASKS, default_source
    from pruning.study.read import BrokenStudy, list_studies

    excluded = {"a study": options.study, "--validation-file": options.validation_file, "--teacher": options.teacher}
    for name, given in excluded.items():
        if given is not None:
            raise ConfigError(f"measure: --all and {name} exclude each other, expected one of them")
    source = options.data or default_source()
    if source == "probe":
        raise ConfigError("measure --all: --data probe: studies store no scores on it, expected GLUE's own splits")
    device, reports = machine.prepare(options), []
    for study in list_studies():
        results: list[Any] = []
        if isinstance(study, BrokenStudy):
            wrong = [f"broken: {study.reason.removeprefix(f'{study.folder}: ')}"]
        elif TASKS.get(study.task.name) != study.task:
            say(f"{study.name}: left out, for its examples are not GLUE's")
            continue
        else:
            results, wrong = measured_again(study, source, options.variant, device)
            if not options.json:
                show(f"{study.name} ({study.folder})")
                show_results(study.task, results)
        for line in wrong:
            say(f"{study.name}: {line}")
        reports.append({"study": study.name, "results": results_json(results), "differences": wrong})
    if options.json:
        show_json({"studies": reports})
    bad = sum(bool(report["differences"]) for report in reports)
    say(f"{len(reports) - bad} of {len(reports)} studies score what they store")
    return 2 if bad else 0


def measured_again(
    study: Study, source: str, named: Sequence[str] | None, device: str
) -> tuple[list[Score], list[str]]:
    """A study's networks scored once more on its own splits, and a line for each score that is not the stored one."""
    from pruning.data import load_examples
    from pruning.measure.scoring import score

    task, document = study.task, study.document
    before = {(row.variant, row.split): row for row in study.results}
    networks = stored.load_networks(study, named, device)
    results: list[Score] = []
    wrong: list[str] = []
    for split in task.validation:
        examples = load_examples(task, split, source)
        if split == task.validation[0] and examples.sha256 != document.provenance.data.validation.sha256:
            wrong.append(f"{split}: {examples.origin} holds other examples than the study was measured on")
        results += score(task, networks, examples, split, seed=document.provenance.seed)
    for row in results:
        known = before.get((row.variant, row.split))
        if known is None:
            wrong.append(f"{row.variant} {row.split}: no score is stored")
        elif (row.count, row.correct) != (known.count, known.correct) or not close(row.metrics, known.metrics):
            wrong.append(f"{row.variant} {row.split}: {_said(row)}, stored: {_said(known)}")
    return results, wrong


def close(found: Mapping[str, float], known: Mapping[str, float]) -> bool:
    """The same metrics, each within `SAME`."""
    return found.keys() == known.keys() and all(abs(found[name] - known[name]) <= SAME for name in found)


def _said(row: Any) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in row.metrics.items()) + f" (n={row.count})"


COMMAND = Command("measure", "score a stored study's networks on labelled examples", add_options, measure)
