"""All commands in one parser; errors become exit codes. Heavy libraries are imported only by the command at work."""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pruning.cli import ablate, advise, export, list_studies, measure, predict, profile, run, sweep, upgrade, verify
from pruning.cli.options import PROGRAM, Command, CommandParser, HelpFormatter, Parser
from pruning.errors import SlimVizError, one_line
from pruning.training import processes

COMMANDS = (
    run.COMMAND,
    sweep.COMMAND,
    measure.COMMAND,
    ablate.COMMAND,
    predict.COMMAND,
    export.COMMAND,
    profile.COMMAND,
    advise.COMMAND,
    list_studies.COMMAND,
    verify.COMMAND,
    upgrade.COMMAND,
)
USAGE_ERROR = 2
INTERRUPTED = 130
LONGEST_MESSAGE = 500

EPILOG = """\
Examples
  python -m pruning run --task sst2 --preset quick          a first look, in minutes
  python -m pruning run --task sst2 --data glue             the whole study, from parquet files in ./glue
  python -m pruning run --task sst2 --budget-kind flop_ratio --budgets 0.25
  python -m pruning run --teacher my-classifier --train-file texts.csv --text text      the BERT you already have
  python -m pruning run --train-file reviews.csv --text review --label stars --regression
  python -m pruning sweep benchmarks/rivals.toml --data glue --workers 2      other methods on the same teachers
  python -m pruning measure sst2 --data glue                score and compare the stored networks again
  python -m pruning ablate sst2 --data glue                 does the head map tell the truth?
  python -m pruning predict sst2 "A slow start, but what an ending."
  python -m pruning export sst2 --variant slim-10 --to slim   a folder that loads without SlimViz
  python -m pruning profile sst2 --variant slim-10          milliseconds here: torch, ONNX Runtime, int8, bfloat16
  python -m pruning advise sst2 --ms 5 --mb 10              which stored network fits, and what to run next
  python -m pruning list --json
  python -m pruning verify
  python -m pruning upgrade my-studies/reviews              rewrite a study of an earlier version for this one

Interrupted? Type the same command again: it goes on where it was and ends with the same network.
Words: "total density" is stored parameters divided by the teacher's stored parameters, embeddings included.
"""


def main(arguments: Sequence[str] | None = None, *, program: str = PROGRAM, further: Sequence[Command] = ()) -> int:
    """Run a command; returns the exit code (2 for anything the user can put right, in one line).

    Args:
        arguments: what was typed after the program; default: this process's.
        program: what was typed before them; usage lines and a study's provenance say it.
        further: commands beside `COMMANDS`.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    fail = functools.partial(_fail, program)
    _prepare_output()
    for number, argument in enumerate(arguments, start=1):
        if "\0" in argument or not _is_unicode(argument):
            return fail(f"argument {number}, {argument!a:.40}: expected Unicode text without zero bytes")
    options = build_parser(program, further).parse_args(arguments)
    options.program, options.command_typed = program, f"{program} {shlex.join(arguments)}"
    if processes.is_main():
        signal.signal(signal.SIGTERM, _terminate)
    elif not options.command.trains:
        return 0
    else:  # end at once and in silence when the launcher says so, even while waiting for the main process
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
    try:
        code = options.command.run(options)
        sys.stdout.flush()
        return code
    except SlimVizError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail("interrupted; the same command goes on where it was", INTERRUPTED)
    except BrokenPipeError:
        _forget_output()
        return 0
    except SafetensorError as error:  # what its writer raises where the disk is full
        return fail(f"weights: {error}; expected free disk, and files that are whole")
    except RuntimeError as error:
        if processes.count() == 1 or not processes.lost_another(error):
            raise
        return fail("another process of this run ended; the same command goes on where it was", 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if error.filename is None:
            _forget_output()
            return fail(f"{reason}; expected an output and folders that can be written")
        return fail(f"{reason}: {os.fsdecode(error.filename)}; expected a folder that can be written")


def build_parser(program: str = PROGRAM, further: Sequence[Command] = ()) -> argparse.ArgumentParser:
    """The parser with all commands; see `main`."""
    naming: dict[str, Any] = {"program": program, "complain": functools.partial(_fail, program)}
    parser = Parser(
        prog=program,
        description="Prune BERT for a task by neural slimming; measure, use and check the studies.",
        epilog=EPILOG.replace(PROGRAM, program),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **naming,
    )
    parsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=CommandParser)
    for command in (*COMMANDS, *further):
        described = parsers.add_parser(
            command.name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            formatter_class=HelpFormatter,
            **naming,
        )
        described.set_defaults(command=command)
        command.add_options(described)
    return parser


def _prepare_output() -> None:
    """Printing never fails for what is printed, nor because the shell closed the output (Python has None then)."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (for the rest of the process)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes that the shell passed and that are no UTF-8
        return False
    return True


def _terminate(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _fail(program: str, message: str, code: int = USAGE_ERROR) -> int:
    which = "" if processes.is_main() else f"process {processes.number()}: "
    print(f"{program.split()[-1]}: {which}{one_line(message, LONGEST_MESSAGE)}", file=sys.stderr)
    return code


def _forget_output() -> None:
    """What standard output still holds cannot be written; Python would try again at its end and complain."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
