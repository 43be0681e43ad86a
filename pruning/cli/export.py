"""``python -m pruning export sst2 --variant slim-10 --to slim``: a network for whoever has no SlimViz."""

from __future__ import annotations

import argparse

from pruning.cli import stored
from pruning.cli.options import Command, add_json, add_stored, path
from pruning.cli.printing import say, show, show_json
from pruning.export import DEFAULT, FORMATS, check_destination, format_of, write_export


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
    add_json(command)


def export(options: argparse.Namespace) -> int:
    """Write the folder and say how it is loaded."""
    folder = check_destination(options.to)
    study = stored.find_study(options.study)

    from pruning.study.card import export_card
    from pruning.study.networks import load_network

    variant = study.variant(options.variant)
    network = load_network(study, variant)
    network.tokenizer.model_max_length = network.max_length
    loading = format_of(options.format).loading(network.model, folder.name, is_pair=study.task.is_pair)
    card = export_card(study.document, variant, loading)
    write_export(network.model, network.tokenizer, folder, card=card, export_format=options.format)
    files = sorted(file.name for file in folder.iterdir())
    if options.json:
        shown = {"study": study.name, "variant": variant.name, "format": options.format, "folder": str(folder)}
        show_json(shown | {"files": files})
        return 0
    show(f"{study.name}/{variant} written to {folder}: {', '.join(files)}")
    say("README.md says how to load it")
    return 0


COMMAND = Command("export", "write a network for others to load, without SlimViz", add_options, export)
