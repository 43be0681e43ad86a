"""A table's columns -> checked texts, class numbers and scores -> examples; what is wrong is named with its row."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tables import Table
from pruning.data.task import Task
from pruning.errors import DataError, one_line, quoted

WHOLE_NUMBER = re.compile(r"-?\d+\.0+")  # how a column of numbers with a gap somewhere is often written
DIGITS = re.compile(r"[0-9]{1,9}")
LARGEST_SCORE = float(np.finfo(np.float32).max)
MOST_INFERRED_LABELS = 20  # above this, values that differ in most rows are texts rather than label words


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and what the label may be.

    Attributes:
        text: one or two text columns.
        label: label column.
        labels: label words in the order of their numbers, or None for a regression.
        label_range: smallest and largest score of a regression, where known.
        numbered: whether 0, 1, ... may stand for the labels; None: where that can have one meaning only.
    """

    text: tuple[str, ...]
    label: str
    labels: tuple[str, ...] | None
    label_range: tuple[float, float] | None = None
    numbered: bool | None = None

    @classmethod
    def of(cls, task: Task) -> Columns:
        """The columns that a task names."""
        return cls(task.text, task.label, task.labels, task.label_range)


def to_examples(table: Table, columns: Columns, origin: str, *, empty_allowed: bool) -> Examples:
    """The table's rows as labelled examples.

    Args:
        table: what was read.
        columns: what of it is wanted.
        origin: one line for people on where it came from.
        empty_allowed: whether a text may be empty.

    Raises:
        DataError: if a column is missing, or a text or label is not what it should be.
    """
    if not len(table):
        raise DataError(f"{table.where}: holds no rows, expected at least one example")
    for column in (*columns.text, columns.label):
        table.column(column)
    first, *second = (checked_texts(table, column, empty_allowed) for column in columns.text)
    where, values = f"{table.where}, column {quoted(columns.label)}", table.column(columns.label)
    if columns.labels is None:
        labels = scores(values, where, columns.label_range)
    else:
        labels = class_numbers(values, columns.labels, where, columns.numbered)
    return Examples(first, second[0] if second else None, labels, origin)


def checked_texts(table: Table, column: str, empty_allowed: bool) -> tuple[str, ...]:
    """A column of texts. GLUE itself has a few empty ones (in QQP); in a user's own data they are a mistake."""
    values = table.column(column)
    for number, value in enumerate(values, start=1):
        if _is_missing(value) or (not empty_allowed and isinstance(value, str) and not value.strip()):
            raise DataError(f"{table.where}: row {number}, column {quoted(column)} is empty, expected a text")
        if not isinstance(value, str):
            raise DataError(f"{table.where}: row {number}, column {quoted(column)} is {quoted(value)}, expected a text")
    return tuple(values)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _label_words(values: Sequence[Any], where: str) -> list[str]:
    """Labels as words: 1, 1.0 and "1.0" are "1", True is "true"."""
    words = []
    for number, value in enumerate(values, start=1):
        if _is_missing(value) or (isinstance(value, str) and not value.strip()):
            raise DataError(f"{where}: row {number} is empty, expected a label")
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        elif isinstance(value, str) and WHOLE_NUMBER.fullmatch(value.strip()):
            value = value.split(".")[0]
        elif not isinstance(value, (str, int, float)):
            raise DataError(f"{where}: row {number} is {quoted(value)}, expected a word or a number")
        words.append(str(value).strip())
    return words


def infer_labels(values: Sequence[Any], where: str) -> tuple[str, ...]:
    """The distinct label words, sorted: as numbers where all are whole numbers."""
    words = _label_words(values, where)
    distinct = set(words)
    if _all(int, distinct):
        return tuple(sorted(distinct, key=lambda word: (int(word), word)))
    if _all(float, distinct):
        score = next(word for word in words if not _all(int, [word]))
        raise DataError(
            f"{where}: {quoted(score)} looks like a score, expected label words, or a regression to be asked for"
        )
    if len(distinct) > max(MOST_INFERRED_LABELS, len(words) // 2):
        raise DataError(f"{where}: {len(distinct)} different values in {len(words)} rows, expected a few label words")
    return tuple(sorted(distinct))


def class_numbers(
    values: Sequence[Any], labels: tuple[str, ...], where: str, numbered: bool | None = None
) -> np.ndarray:
    """Label numbers: the values are label words throughout, or else, where that has one meaning, numbers throughout.

    Args:
        values: a label column.
        labels: the task's label words, in the order of their numbers.
        where: file and column, for messages.
        numbered: see `Columns`.

    Raises:
        DataError: if a value is none of these.
    """
    words = _label_words(values, where)
    numbers = {word: number for number, word in enumerate(_label_words(labels, "the task's labels"))}
    if len(numbers) < len(labels):
        raise DataError(f"{where}: the task's labels {_listed(labels)} cannot be told apart, expected different words")
    found = set(words)
    expected = f"expected {_listed(labels)}"
    if _may_be_numbered(tuple(numbers)) if numbered is None else numbered:
        expected += f", or throughout 0 to {len(labels) - 1}"
        if not found <= set(numbers) and found <= set(map(str, range(len(labels)))):
            numbers = {str(number): number for number in range(len(labels))}
    for row, word in enumerate(words, start=1):
        if word not in numbers:
            what = "has no label (-1)" if word == "-1" else f"has the unknown label {quoted(word)}"
            raise DataError(f"{where}: row {row} {what}, {expected}; the column holds {_listed(sorted(found))}")
    return np.array([numbers[word] for word in words], dtype=np.int64)


def nameless(count: int) -> tuple[str, ...]:
    """What transformers calls labels that nobody named: LABEL_0, LABEL_1, ..."""
    return tuple(f"LABEL_{number}" for number in range(count))


def are_nameless(labels: Sequence[str]) -> bool:
    """Whether labels are called as those are that nobody named."""
    return tuple(labels) == nameless(len(labels))


def _may_be_numbered(labels: tuple[str, ...]) -> bool:
    """Whether 0, 1, ... in a label column can only be the labels' numbers.

    Not where a label is a number itself, nor where it bears the number of another label: the 1 of "1 star", "2 stars"
    is the first class, not the second.
    """
    lower = tuple(map(str.lower, labels))
    if lower == ("false", "true"):
        return True
    borne = [(place, int(digits)) for place, word in enumerate(labels) for digits in DIGITS.findall(word)]
    another = any(number != place and number <= len(labels) for place, number in borne)
    return not another and not any(word in ("false", "true") or _all(float, [word]) for word in lower)


def _listed(words: Sequence[str]) -> str:
    """Labels as a message shows them, the first dozen of them."""
    shown = ", ".join(one_line(word, 40) for word in words[:12])
    return shown + (f" and {len(words) - 12} more" if len(words) > 12 else "")


def scores(values: Sequence[Any], where: str, allowed: tuple[float, float] | None) -> np.ndarray:
    """A regression's labels as float32: finite numbers within the allowed range."""
    low, high = allowed or (-LARGEST_SCORE, LARGEST_SCORE)
    expected = "expected a number" if allowed is None else f"expected a number from {low:g} to {high:g}"
    checked = []
    for row, value in enumerate(values, start=1):
        try:
            score = math.nan if isinstance(value, bool) or value is None else float(value)
        except (TypeError, ValueError, OverflowError):
            score = math.nan
        if not math.isfinite(score) or not low <= score <= high:
            raise DataError(f"{where}: row {row} is {quoted(value)}, {expected}")
        checked.append(score)
    return np.array(checked, dtype=np.float32)


def _all(kind: Callable[[str], Any], words: Sequence[str] | set[str]) -> bool:
    try:
        for word in words:
            kind(word)
    except ValueError:
        return False
    return True
