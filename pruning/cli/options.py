"""Options that several commands share, and what their values may be."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruning.errors import quoted

PROGRAM = "python -m pruning"  # what is typed before a command, where nothing else is said
MOST_THREADS = MOST_COUNTED = 1024
STUDY_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
MARK = "\0"  # no argument holds one
LONG_WORD = re.compile(r"\S{80,}")


@dataclass(frozen=True)
class Command:
    """One command of ``python -m pruning``, or of ``slimviz``.

    Attributes:
        name: as typed.
        summary: one line for ``--help``.
        add_options: puts its options on a parser.
        run: does the work; returns the exit code.
        trains: whether it may run in several processes; of any other command only the main process does anything.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    trains: bool = False


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, whatever was typed."""

    def __init__(self, *arguments: Any, program: str = PROGRAM, complain: Callable[[str], int], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.program, self.complain = program, complain

    def error(self, message: str) -> Any:
        """One line that names the command; never more of a long word than its beginning."""
        command = self.prog.removeprefix(self.program).strip()
        message = LONG_WORD.sub(lambda word: f"{word[0][:60]}...", message)
        self.exit(self.complain(f"{command}: {message}" if command else message))


class CommandParser(Parser):
    """A command's parser: options may stand before, between and after the positional arguments."""

    _is_inside = False

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As `argparse` does, with positional arguments and options in any order."""
        if self._is_inside:  # how `parse_known_intermixed_args` does its two passes
            return super().parse_known_args(args, namespace)
        given = list(sys.argv[1:] if args is None else args)
        end = given.index("--") if "--" in given else len(given)
        # The first pass drops "--", and the second would take what follows for options.
        given = given[:end] + [MARK + text for text in given[end + 1 :]]
        self._is_inside = True
        try:
            found, rest = self.parse_known_intermixed_args(given, namespace)
        finally:
            self._is_inside = False
        for name, value in vars(found).items():
            setattr(found, name, _unmarked(value))
        return found, _unmarked(rest)


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(part) for part in value]
    return value.removeprefix(MARK) if isinstance(value, str) else value


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Defaults are told where there is one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        return super()._get_help_string(action)


# ---- groups of options -------------------------------------------------------------------------------------------


def add_json(command: argparse.ArgumentParser) -> None:
    """``--json``."""
    command.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, messages on standard error"
    )


def add_machine(command: argparse.ArgumentParser) -> None:
    """``--device`` and ``--threads``; see `machine.prepare`."""
    command.add_argument(
        "--device", default="auto", help='"cpu", "cuda", "cuda:1" or "mps"; "auto": a CUDA GPU where there is one'
    )
    command.add_argument(
        "--threads", type=threads, default=0, metavar="N", help="processor threads; 0: as many as torch chooses"
    )


def add_columns(command: Any) -> None:
    """``--text`` and ``--pair``: columns of a user's own file (a parser or a group of one)."""
    command.add_argument("--text", default="text", metavar="COLUMN", help="column of the (first) text in your file")
    command.add_argument("--pair", metavar="COLUMN", help="column of the second text, for pairs")


def add_label(command: Any, default: str | None = "label", said: str = "column of the label") -> None:
    """``--label``: a further column."""
    command.add_argument("--label", default=default, metavar="COLUMN", help=said)


def add_teacher(command: argparse.ArgumentParser) -> None:
    """``--teacher``: where a teacher is that a study only names."""
    command.add_argument(
        "--teacher",
        type=path,
        metavar="FOLDER",
        help="where the teacher is now that the study only names",
    )


def add_stored(command: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """The study that is meant."""
    said = "a study's folder, or the name of a study that `list` finds"
    command.add_argument("study", type=path, nargs="?" if optional else None, help=said)


def add_variants(command: argparse.ArgumentParser) -> None:
    """``--variant``."""
    command.add_argument(
        "--variant",
        action="append",
        metavar="NAME",
        help='"teacher" or "slim-10"; may be repeated; default: all stored',
    )


# ---- what values may be ------------------------------------------------------------------------------------------


def path(text: str) -> str:
    """A file or folder; anything but nothing."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a file, a folder or a name")
    return text


def study_name(text: str) -> str:
    """A name that a study's folder may have; no path."""
    if STUDY_NAME.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"{quoted(text)}: expected lower-case letters, digits, '.', '_' and '-', at most 100, "
            "the first a letter or a digit"
        )
    return text


def threads(text: str) -> int:
    """0 to `MOST_THREADS`."""
    if re.fullmatch(r"[0-9]{1,9}", text) is None or int(text) > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected a whole number from 0 to {MOST_THREADS}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if re.fullmatch(r"[0-9]{1,9}", text) is None or not int(text):
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected a whole number from 1 on")
    return int(text)


def counts(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 to `MOST_COUNTED` between commas, each once."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,9}", part) and 1 <= int(part) <= MOST_COUNTED for part in parts):
        raise argparse.ArgumentTypeError(
            f"{quoted(text)}: expected whole numbers from 1 to {MOST_COUNTED} between commas, such as 1,8,32"
        )
    return tuple(dict.fromkeys(map(int, parts)))


def chosen_from(known: Iterable[str], text: str) -> tuple[str, ...]:
    """Some of the names that there are, between commas."""
    found = words(text)
    if not found or any(name not in known for name in found):
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected some of {', '.join(known)} between commas")
    return found


def number(text: str) -> float:
    """A number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected a number") from None


def numbers(text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected numbers such as 0.1,0.05") from None


def words(text: str) -> tuple[str, ...]:
    """Words between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def file_name(name: str) -> str:
    """A file's name as a study's: "My Reviews.csv" -> "my-reviews"."""
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(name).stem.lower()).strip("-")
    return letters[:60] or "own"
