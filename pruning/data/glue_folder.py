"""A folder of GLUE -> tables: parquet files, or the TSV files that GLUE itself gives out (quirks included)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from pruning.data.opened import check_columns
from pruning.data.tables import Table, read_table, tab_separated
from pruning.data.task import Task
from pruning.errors import DataError

MOST_BROKEN = 0.001  # share of a TSV's rows that may lack columns: QQP has three such, which everyone drops


@dataclass(frozen=True)
class _Layout:
    """How GLUE's own TSV files name a task's folder and columns."""

    folder: str
    text: tuple[str, ...]
    label: str = "label"


_LAYOUTS = {
    "cola": _Layout("CoLA", ("sentence",)),  # no header: source, label, author's mark, sentence
    "sst2": _Layout("SST-2", ("sentence",)),
    "mrpc": _Layout("MRPC", ("#1 String", "#2 String"), "Quality"),
    "stsb": _Layout("STS-B", ("sentence1", "sentence2"), "score"),
    "qqp": _Layout("QQP", ("question1", "question2"), "is_duplicate"),
    "mnli": _Layout("MNLI", ("sentence1", "sentence2"), "gold_label"),
    "qnli": _Layout("QNLI", ("question", "sentence")),
    "rte": _Layout("RTE", ("sentence1", "sentence2")),
    "wnli": _Layout("WNLI", ("sentence1", "sentence2")),
}


def read_folder(task: Task, split: str, folder: Path) -> tuple[Table, str]:
    """One split of a task, its columns named as the task names them, and one line on where it came from."""
    try:
        return _read_folder(task, split, folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}), expected a folder with GLUE") from error


def _read_folder(task: Task, split: str, folder: Path) -> tuple[Table, str]:
    if not folder.is_dir():
        raise DataError(
            f"{folder}: is not a folder, expected one with {task.name}/{split}.parquet, or 'hub' or 'probe'"
        )
    parquet = folder / task.name / f"{split}.parquet"
    parts = [parquet] if parquet.is_file() else sorted((folder / task.name).glob(f"{split}-*-of-*.parquet"))
    if parts:
        wanted = (*task.text, task.label)
        tables = [read_table(part, wanted) for part in parts]
        joined = {name: [value for table in tables for value in table.column(name)] for name in wanted}
        return Table(tables[0].where, joined), f"folder {folder.resolve().name}/{task.name}, split {split}"
    tried = [str(parquet)]
    layout = _LAYOUTS.get(task.name)
    if layout is not None:
        for name in dict.fromkeys((layout.folder, task.name)):
            path = folder / name / f"{split.replace('validation', 'dev')}.tsv"
            original = folder / name / "msr_paraphrase_train.txt"
            origin = f"folder {folder.resolve().name}/{name}, split {split}"
            if path.is_file():
                return _glue_table(task, layout, path, list(tab_separated(path))), origin
            if task.name == "mrpc" and original.is_file():
                return _glue_table(task, layout, original, _original_mrpc(original, split)), origin
            tried.append(str(path))
    raise DataError(f"{task.name}: split {split} is not in {folder}, expected {' or '.join(tried)}")


def _original_mrpc(path: Path, split: str) -> list[list[str]]:
    """Rows of one split of MRPC's original file: GLUE names those of its validation split by a list of ids."""
    for name in ("mrpc_dev_ids.tsv", "dev_ids.tsv"):
        if (path.parent / name).is_file():
            chosen = {tuple(row[:2]) for row in tab_separated(path.parent / name)}
            rows = list(tab_separated(path))
            wanted = split != "train"
            return rows[:1] + [row for row in rows[1:] if (tuple(row[1:3]) in chosen) == wanted]
    raise DataError(f"{path.parent}: no dev.tsv and no dev_ids.tsv, expected one of them beside {path.name}")


def _glue_table(task: Task, layout: _Layout, path: Path, rows: list[list[str]]) -> Table:
    if task.name == "cola":
        rows = [["source", "label", "mark", "sentence"], *rows]
    if len(rows) < 2:
        raise DataError(f"{path}: holds no rows, expected at least one example")
    found = rows[0]
    wanted = (*layout.text, layout.label)
    check_columns(str(path), found, wanted)
    positions = [found.index(column) for column in wanted]
    whole = [row for row in rows[1:] if len(row) > max(positions)]
    broken = len(rows) - 1 - len(whole)
    if broken > math.ceil(MOST_BROKEN * len(rows)):
        raise DataError(f"{path}: {broken} of {len(rows) - 1} rows have fewer columns than expected, {len(found)}")
    names = (*task.text, task.label)
    return Table(str(path), {name: [row[at] for row in whole] for name, at in zip(names, positions, strict=True)})
