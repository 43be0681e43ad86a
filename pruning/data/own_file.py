"""A user's own file of examples: CSV, TSV, JSON lines or parquet, its columns named by the user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pruning.data.columns import Columns, checked_texts, infer_labels, to_examples
from pruning.data.examples import Examples, unlabelled
from pruning.data.tables import InMemory, read_table
from pruning.data.task import Task
from pruning.errors import DataError, quoted


def load_file(
    path: str | Path | InMemory,
    text: str,
    pair: str | None,
    label: str | None,
    task: Task | None = None,
    *,
    regression: bool = False,
    training: bool = False,
    numbered: bool | None = None,
) -> tuple[Examples, tuple[str, ...] | None]:
    """Read a user's own CSV, TSV, JSON lines or parquet file.

    Args:
        path: the file, or one that is in memory alone.
        text: column of the first (or only) text.
        pair: column of the second text, or None.
        label: column of the label, or None for texts to predict.
        task: the task whose labels are expected; None infers them: the distinct words, sorted.
        regression: whether the label is a score; where there is a task, it says so.
        training: whether there must be something to learn from: words in the texts and at least two different labels
            (always so where they are inferred).
        numbered: see `Columns`.

    Returns:
        The examples, and the label words (None for a regression or without a label).
    """
    file, texts = path, (text,) if pair is None else (text, pair)
    path = file.name if isinstance(file, InMemory) else str(file)
    if task is not None and len(texts) != len(task.text):
        count = {1: "one text column", 2: "two text columns"}
        raise DataError(
            f"{path}: {count[len(texts)]} given, but task {task.name} reads {' and '.join(task.text)}, "
            f"expected {count[len(task.text)]}"
        )
    if len({*texts, label}) != len(texts) + 1:
        given = ", ".join(map(quoted, (*texts, label)))
        raise DataError(f"{path}: columns {given} given, expected a different column for each text and the label")
    wanted = texts if label is None else (*texts, label)
    table = file.read(wanted) if isinstance(file, InMemory) else read_table(file, wanted)
    origin = f"file {Path(path).name}"
    if label is None:
        first, *second = (checked_texts(table, column, empty_allowed=False) for column in texts)
        return unlabelled(first, second[0] if second else None, origin), None
    if task is not None:
        columns = Columns(texts, label, task.labels, task.label_range, numbered)
    elif regression:
        columns = Columns(texts, label, None)
    else:
        columns = Columns(texts, label, infer_labels(table.column(label), f"{path}, column {label!r}"))
    examples = to_examples(table, columns, origin, empty_allowed=False)
    if training:
        require_words(examples, texts)
    if training or (task is None and not regression):
        require_two_labels(examples, columns.labels)
    return examples, columns.labels


def require_words(examples: Examples, columns: Sequence[str]) -> None:
    """Raise `DataError` where a column of texts, named by `columns`, holds numbers throughout."""
    for column, texts in zip(columns, (examples.texts, examples.pairs or ()), strict=False):
        if all(_is_number(text) for text in texts):
            raise DataError(f"{examples.origin}: column {quoted(column)} holds numbers alone, expected texts")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def require_two_labels(examples: Examples, labels: Sequence[str] | None) -> None:
    """Raise `DataError` where all examples have the same label, from which nothing can be learned."""
    distinct = np.unique(examples.labels)
    if len(distinct) < 2:
        only = quoted(labels[int(distinct[0])]) if labels else f"{distinct[0]:g}"
        raise DataError(f"{examples.origin}: all labels are {only}, expected at least two different labels to train on")
