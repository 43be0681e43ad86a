"""``python -m pruning upgrade FOLDER``: studies of an earlier schema, rewritten in today's; their numbers stay."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning.cli.options import Command, add_json, path
from pruning.cli.printing import show, show_json


def add_options(command: argparse.ArgumentParser) -> None:
    """Which studies."""
    command.add_argument("folders", nargs="+", type=path, metavar="FOLDER", help="a study's folder")
    add_json(command)


def upgrade(options: argparse.Namespace) -> int:
    """Rewrite each study and say so; one that is at the newest schema already is left as it is."""
    from pruning.study.document import SCHEMA
    from pruning.study.upgrade import upgrade_study

    rows = []
    for folder in options.folders:
        is_changed = upgrade_study(Path(folder))
        rows.append({"path": folder, "schema": SCHEMA, "upgraded": is_changed})
        if not options.json:
            show(f"{folder}: {'upgraded to' if is_changed else 'already at'} schema {SCHEMA}")
    if options.json:
        show_json({"studies": rows})
    return 0


COMMAND = Command("upgrade", "rewrite studies of an earlier schema in today's; numbers stay", add_options, upgrade)
