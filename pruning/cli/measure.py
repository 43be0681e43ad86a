"""``python -m pruning measure sst2 --data glue``: a stored study's networks on labelled examples."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning.cli import machine, stored
from pruning.cli.options import Command, add_columns, add_json, add_label, add_machine, add_stored, add_variants, path
from pruning.cli.printing import results_json, say, show_json, show_results


def add_options(command: argparse.ArgumentParser) -> None:
    """What is measured, on which examples."""
    add_stored(command)
    command.add_argument(
        "--data", type=path, metavar="SOURCE", help='"hub", "probe" or a folder; default: $SLIMVIZ_GLUE, else "hub"'
    )
    command.add_argument(
        "--validation-file", type=path, metavar="FILE", help="your own labelled examples instead of GLUE's"
    )
    add_columns(command)
    add_label(command)
    add_variants(command)
    add_machine(command)
    add_json(command)


def measure(options: argparse.Namespace) -> int:
    """Score every network on every split and print a line each."""
    from pruning.data import default_source, load_examples, load_file

    study = stored.find_study(options.study)
    task = study.task
    if options.validation_file:
        columns = (options.text, options.pair, options.label)
        examples, _ = load_file(options.validation_file, *columns, task=task)
        splits = {Path(options.validation_file).name: examples}
    else:
        source = options.data or default_source()
        names = task.validation if source != "probe" else task.validation[:1]
        splits = {name: load_examples(task, name, source) for name in names}
    device = machine.prepare(options)

    from pruning.measure.scoring import score
    from pruning.study.notes import notes

    networks = stored.load_networks(study, options.variant, device)
    results = []
    for split, examples in splits.items():
        say(f"{split}: {len(examples)} examples, {examples.origin}")
        results += score(task, networks, examples, split, seed=study.document.provenance.seed)
    if options.json:
        show_json({"study": study.name, "results": results_json(results)})
    else:
        show_results(task, results)
        for note in notes(study.document, study.name):
            say(note)
    return 0


COMMAND = Command("measure", "score a stored study's networks on labelled examples", add_options, measure)
