"""Parts of a document that a command writes, between markers: `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

from pruning.errors import SlimVizError, StoreError
from pruning.measure.environment import current_commit, environment


def begin(name: str) -> str:
    """Where a section begins."""
    return f"<!-- {name} -->"


def end(name: str) -> str:
    """Where it ends."""
    return f"<!-- /{name} -->"


def between_markers(text: str, name: str, where: str) -> str:
    """What a document has between its markers.

    Raises:
        StoreError: it has no such section.
    """
    return _section(text, name, where)[1].strip("\n")


def replaced(text: str, name: str, content: str, where: str) -> str:
    """A document with other content between its markers.

    Raises:
        StoreError: it has no such section.
    """
    section = _section(text, name, where)
    return f"{text[: section.start()]}{begin(name)}\n{content}\n{end(name)}{text[section.end() :]}"


def _section(text: str, name: str, where: str) -> re.Match[str]:
    match = re.search(rf"{re.escape(begin(name))}(.*?){re.escape(end(name))}", text, re.DOTALL)
    if match is None:
        raise StoreError(f"{where}: has no section between {begin(name)} and {end(name)}")
    return match


def provenance(command: str, *further: str) -> str:
    """Where numbers come from, as a line below them: command, commit, day, hardware, and what else is to be said."""
    where = environment()
    libraries = f"Python {where.python}, torch {where.libraries['torch']}"
    parts = (f"`{command}`", f"commit {current_commit()}", str(date.today()), where.hardware, libraries, *further)
    return f"<sub>{'; '.join(parts)}</sub>"


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Write or check; neither prints."""
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", type=Path, metavar="FILE", help="put them between this file's markers")
    action.add_argument("--check", type=Path, metavar="FILE", help="exit code 1 unless the file says the same")


def act(options: argparse.Namespace, name: str, content: Callable[[], str], program: str) -> int:
    """Print, write or check a section; the exit code."""
    try:
        made = content()
        if options.write:
            text = options.write.read_text(encoding="utf-8")
            options.write.write_text(replaced(text, name, made, str(options.write)), encoding="utf-8")
        elif options.check:
            same = between_markers(options.check.read_text(encoding="utf-8"), name, str(options.check)) == made
            print(f"{options.check}: {'up to date' if same else 'differs; write it anew with --write'}")
            return 0 if same else 1
        else:
            print(made)
    except (SlimVizError, OSError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0
