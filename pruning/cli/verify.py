"""``python -m pruning verify``: what is wrong with stored studies, a line each."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning.cli import stored
from pruning.cli.options import Command, add_json, path
from pruning.cli.printing import say, show, show_json
from pruning.errors import one_line


def add_options(command: argparse.ArgumentParser) -> None:
    """Which studies."""
    command.add_argument(
        "studies", nargs="*", type=path, metavar="STUDY", help="names or folders; default: all that are found"
    )
    add_json(command)


def check(options: argparse.Namespace) -> int:
    """Print the problems of each study; exit code 2 where there are any."""
    from pruning.study.read import list_studies
    from pruning.study.verify import verify

    named = [stored.study_folder(name) or Path(name) for name in options.studies]
    folders = named or [study.folder for study in list_studies()]
    problems = {str(folder): verify(folder) for folder in folders}
    if options.json:
        show_json({"studies": [{"path": name, "problems": found} for name, found in problems.items()]})
    else:
        for name, found in problems.items():
            show(f"{one_line(name)}: {'clean' if not found else '; '.join(found)}")
    if not folders:
        say("no studies found")
    return 2 if any(problems.values()) else 0


COMMAND = Command("verify", "check studies: schema, checksums, shapes, counts", add_options, check)
