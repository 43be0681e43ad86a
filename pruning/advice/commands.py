"""Commands to run next, as they are typed (pure)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from pruning.selection.latency import ONNX, ONNX_INT8, TORCH
from pruning.variants import Variant

OUTPUT = "my-studies"
FORMATS = {ONNX: " --format onnx", ONNX_INT8: " --format onnx --int8"}  # of runtimes that do not read torch's
RUN = re.compile(r"(?:python -m pruning|python -m slimviz|slimviz) run ")
LEFT_OUT = ("--output", "--ship")  # with a value; said anew
SWITCHES_LEFT_OUT = ("--quiet", "--overwrite")


def export_command(program: str, study: str, variant: Variant, runtime: str = TORCH) -> str:
    """Write a stored network for others to load.

    Args:
        program: what is typed before a command.
        study: its name or folder.
        variant: whose weights are stored.
        runtime: that shall read it, one of `pruning.runtimes`.
    """
    kind = FORMATS.get(runtime, "")
    folder = f"{Path(study).name}-{variant}{f'-{runtime}' if kind else ''}"
    return f"{program} export {shlex.quote(study)} --variant {variant}{kind} --to {shlex.quote(folder)}"


def remake_command(program: str, typed: str, budget: float) -> str | None:
    """The command that made a study, to store a network's weights as well; None where it was made otherwise.

    Args:
        program: what is typed before a command.
        typed: what made the study.
        budget: the network's, as ``--ship`` takes it.
    """
    found = RUN.match(typed)
    if found is None:
        return None
    try:
        words = shlex.split(typed[found.end() :])
    except ValueError:  # a quote without its other half
        return None
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in LEFT_OUT:
            skip = True
        elif word not in SWITCHES_LEFT_OUT and not word.startswith(tuple(f"{option}=" for option in LEFT_OUT)):
            kept.append(word)
    return f"{program} run {shlex.join([*kept, '--ship', f'{budget:g}', '--output', OUTPUT])}"


def task_command(program: str, task: str) -> str:
    """Make a study of one of GLUE's tasks."""
    return f"{program} run --task {task} --output {OUTPUT}"


def own_command(program: str, *, is_labelled: bool, preset: str | None, budget: float | None) -> str:
    """Make a study of somebody's own texts; file, columns and classifier have the README's names.

    Args:
        program: what is typed before a command.
        is_labelled: whether a teacher is trained on labels; else a classifier is there and labels are not needed.
        preset: as ``--preset`` takes it.
        budget: share of parameters to cut to; None for those that are usual.
    """
    source = (
        "--train-file texts.csv --text text --label label"
        if is_labelled
        else "--teacher my-classifier --train-file texts.csv --text text"
    )
    chosen = f" --preset {preset}" if preset else ""
    sizes = "" if budget is None else f" --budgets {budget:g} --ship {budget:g}"
    return f"{program} run {source}{chosen}{sizes} --output {OUTPUT}"
