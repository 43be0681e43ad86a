"""``python -m pruning list``: the studies that are found, and those that cannot be read."""

from __future__ import annotations

import argparse
from pathlib import Path

from pruning.cli.options import Command, add_json, path
from pruning.cli.printing import say, show, show_json


def add_options(command: argparse.ArgumentParser) -> None:
    """Where to look."""
    command.add_argument(
        "--studies", type=path, metavar="FOLDER", help="look here; default: bundled ones and $SLIMVIZ_STUDIES"
    )
    add_json(command)


def list_all(options: argparse.Namespace) -> int:
    """Print a line a study; broken ones with their reason on standard error."""
    from pruning.study.notes import sample_text, start_text
    from pruning.study.read import BrokenStudy, list_studies

    found = list_studies([Path(options.studies)] if options.studies else None)
    studies = [study for study in found if not isinstance(study, BrokenStudy)]
    broken = [study for study in found if isinstance(study, BrokenStudy)]
    for study in broken:
        say(f"broken: {study.folder}: {study.reason.removeprefix(f'{study.folder}: ')}")
    if options.json:
        rows = [
            {"task": s.task.name, "path": str(s.folder), "variants": [str(variant) for variant in s.variants]}
            for s in studies
        ]
        show_json({"studies": rows})
        return 0
    if not studies:
        say(f"no studies found; make one: {options.program} run --task sst2 --preset quick")
    for study in studies:
        said = [text for text in (sample_text(study.document), start_text(study.document)) if text]
        about = f"  ({'; '.join(said)})" if said else ""
        show(f"{study.name:<16} {study.task.title:<8} {study.folder}  {', '.join(map(str, study.variants))}{about}")
    return 0


COMMAND = Command("list", "list the studies found", add_options, list_all)
