"""Where a task's examples come from: the hub, a folder of GLUE, or the bundled probe set."""

from __future__ import annotations

import os
from pathlib import Path

from pruning.data.columns import Columns, to_examples
from pruning.data.examples import Examples, renumbered
from pruning.data.glue_folder import read_folder
from pruning.data.hub import read_hub
from pruning.data.probe import load_probe
from pruning.data.task import Task
from pruning.data.tasks import TASKS
from pruning.errors import DataError, quoted

SOURCE_VARIABLE = "SLIMVIZ_GLUE"


def default_source() -> str:
    """The folder that the variable SLIMVIZ_GLUE names, else "hub"."""
    return os.environ.get(SOURCE_VARIABLE) or "hub"


def load_examples(task: Task, split: str, source: str | Path) -> Examples:
    """Read one split of a task.

    Args:
        task: the task.
        split: "train", or one of the task's validation splits; "validation" means the first of them.
        source: "hub", "probe", or a folder with ``<task>/<split>.parquet`` or GLUE's own TSV folders.
    """
    if split == "validation":
        split = task.validation[0]
    if split != "train" and split not in task.validation:
        expected = ", ".join(("train", *task.validation))
        raise DataError(f"{task.name}: split {quoted(split)} is unknown, expected one of {expected}")
    if not str(source):
        raise DataError("source '': is empty, expected 'hub', 'probe' or a folder")
    if source == "probe":
        return load_probe(task, split)
    table, origin = read_hub(task, split) if source == "hub" else read_folder(task, split, Path(source))
    numbered = TASKS.get(task.name, task)  # as its files are; a given teacher may number the same words otherwise
    return renumbered(
        to_examples(table, Columns.of(numbered), origin, empty_allowed=True), numbered.labels, task.labels
    )
