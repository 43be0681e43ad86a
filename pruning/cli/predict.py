"""``python -m pruning predict sst2 "Worth every minute."``: what a study's networks answer."""

from __future__ import annotations

import argparse

from pruning.cli import machine, stored
from pruning.cli.options import (
    Command,
    add_columns,
    add_json,
    add_machine,
    add_stored,
    add_teacher,
    add_variants,
    path,
)
from pruning.cli.printing import show, show_json
from pruning.errors import ConfigError, DataError


def add_options(command: argparse.ArgumentParser) -> None:
    """What is asked, and of which networks."""
    add_stored(command)
    command.add_argument("sentence", nargs="?", help="a text to answer")
    command.add_argument("second", nargs="?", help="the second text of a pair")
    command.add_argument(
        "--file", type=path, metavar="FILE", help="answer every row of a CSV, TSV, JSON lines or parquet file"
    )
    add_columns(command)
    add_variants(command)
    add_teacher(command)
    add_machine(command)
    add_json(command)


def predict(options: argparse.Namespace) -> int:
    """Print each text and what each network says to it."""
    from pruning.data import load_file, unlabelled

    study = stored.find_study(options.study)
    task = study.task
    if (options.sentence is None) == (options.file is None):
        raise ConfigError("predict: expected either a text or --file FILE")
    if options.file is not None:
        examples, _ = load_file(options.file, options.text, options.pair, None)
    else:
        pairs = None if options.second is None else [options.second]
        examples = unlabelled([options.sentence], pairs, "command line")
    if task.is_pair != (examples.pairs is not None):
        raise DataError(f"study {study.name}: {task.title} reads {'pairs' if task.is_pair else 'single texts'}")
    device = machine.prepare(options)

    from pruning.measure.answers import answer

    networks = stored.load_networks(study, options.variant, device, options.teacher)
    answers = answer(task, networks, examples)
    rows = []
    for index, text in enumerate(examples.texts):
        said = {variant.name: found[index].to_json() for variant, found in answers.items()}
        pair = {} if examples.pairs is None else {"pair": examples.pairs[index]}
        rows.append({"text": text, **pair, "variants": said})
    if options.json:
        show_json({"study": study.name, "answers": rows})
        return 0
    width = max(10, *(len(variant.name) for variant in answers))
    for row in rows:
        show(row["text"] if "pair" not in row else f"{row['text']}  |  {row['pair']}")
        for variant, found in row["variants"].items():
            said = f"{found['score']:.2f}" if task.is_regression else f"{found['label']} ({found['probability']:.1%})"
            show(f"  {variant:<{width}} {said}")
    return 0


COMMAND = Command("predict", "answer one text, or every line of a file", add_options, predict)
