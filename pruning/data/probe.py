"""The bundled probe sets: sentences written for this project, which nothing is ever trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pruning.data.columns import Columns, to_examples
from pruning.data.examples import Examples
from pruning.data.tables import read_table
from pruning.data.task import Task
from pruning.errors import DataError
from pruning.shipped import shipped

PROBE_FOLDER = shipped("probe")


def probe_file(task: Task) -> Path | None:
    """A task's probe set, or None where there is none."""
    path = PROBE_FOLDER / f"{task.name}.jsonl"
    return path if path.is_file() else None


def load_probe(task: Task, split: str) -> Examples:
    """A task's probe set, with what each text is about; it stands in for a validation split."""
    if split == "train":
        raise DataError(f"{task.name}: the probe set is never trained on, expected split {task.validation[0]!r}")
    path = probe_file(task)
    if path is None:
        available = ", ".join(sorted(found.stem for found in PROBE_FOLDER.glob("*.jsonl"))) or "none"
        raise DataError(f"{task.name}: no probe set in {PROBE_FOLDER}, expected one of: {available}")
    table = read_table(path)
    examples = to_examples(table, Columns.of(task), f"probe set {task.name}", empty_allowed=False)
    if "domain" not in table.columns:
        return examples
    return replace(examples, domains=tuple("" if value is None else str(value) for value in table.column("domain")))
