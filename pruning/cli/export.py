"""``python -m pruning export sst2 --variant slim-10 --to slim``: a network for whoever has no SlimViz."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from pruning.cli import stored
from pruning.cli.options import Command, add_json, add_stored, path
from pruning.cli.printing import say, show, show_json
from pruning.data import SOURCE_VARIABLE
from pruning.errors import ConfigError
from pruning.export import (
    DEFAULT,
    FORMATS,
    Wanted,
    check_destination,
    check_wanted,
    format_of,
    trial_of,
    write_export,
)
from pruning.records import to_plain
from pruning.variants import FLOAT, INT8


def add_options(command: argparse.ArgumentParser) -> None:
    """Which network, and where it goes."""
    add_stored(command)
    command.add_argument(
        "--variant", required=True, metavar="NAME", help='"teacher" or "slim-10": one whose weights are stored'
    )
    command.add_argument(
        "--to", required=True, type=path, metavar="FOLDER", help="a new or an empty folder; never overwritten"
    )
    command.add_argument(
        "--format",
        choices=tuple(FORMATS),
        default=DEFAULT,
        help="; ".join(f"{name}: {format_of(name).SUMMARY}" for name in FORMATS),
    )
    command.add_argument("--int8", action="store_true", help="with --format onnx: linear layers and tables in int8")
    command.add_argument(
        "--data",
        type=path,
        metavar="SOURCE",
        help="with --format onnx: where the validation split is that the export is tried on: "
        '"hub", "probe" or a folder; default: $SLIMVIZ_GLUE, else "probe"',
    )
    add_json(command)


def export(options: argparse.Namespace) -> int:
    """Write the folder and say how it is loaded."""
    wanted = Wanted(options.format, INT8 if options.int8 else FLOAT)
    chosen, folder = check_wanted(wanted), check_destination(options.to)
    study = stored.find_study(options.study)
    variant = study.variant(options.variant)
    if chosen.TRIES:
        wanted = replace(wanted, trial=trial_of(study.task, options.data or os.environ.get(SOURCE_VARIABLE)))
    elif options.data is not None:
        raise ConfigError(f"export: format {options.format} tries nothing, expected no --data")

    from pruning.study.card import export_card
    from pruning.study.networks import load_network

    network = load_network(study, variant)
    network.tokenizer.model_max_length = network.max_length
    loading = chosen.loading(network.model, folder.name, is_pair=study.task.is_pair)
    card = export_card(study.document, variant, loading)
    write_export(network.model, network.tokenizer, folder, card=card, wanted=wanted)
    files, parity = sorted(file.name for file in folder.iterdir()), chosen.tried(folder)
    if options.json:
        shown = {"study": study.name, "variant": variant.name, "format": options.format, "folder": str(folder)}
        tried = {} if parity is None else {"precision": wanted.precision, "parity": to_plain(parity)}
        show_json(shown | {"files": files} | tried)
        return 0
    show(f"{study.name}/{variant} written to {folder}: {', '.join(files)}")
    if parity is not None:
        show(str(parity))
    say("README.md says how to load it")
    return 0


COMMAND = Command("export", "write a network for others to load, without SlimViz", add_options, export)
