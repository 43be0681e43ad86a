"""Examples from the hub, a folder, the bundled probe set or a user's own file.

NumPy only; `datasets` is imported where the hub is used, pyarrow where parquet is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pruning.data.columns import checked_texts, class_numbers, infer_labels, scores
from pruning.data.glue_folder import read_folder
from pruning.data.tables import Table, read_table
from pruning.data.tasks import TASKS, Task
from pruning.errors import DataError

PROBE_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "probe"
HUB_NAME = "nyu-mll/glue"
SOURCE_VARIABLE = "SLIMVIZ_GLUE"


@dataclass(frozen=True, eq=False)  # equality of arrays is not a truth value; compare checksums
class Examples:
    """Texts with their labels, and where they came from.

    Attributes:
        texts: the first (or only) text of each example.
        pairs: the second texts, or None.
        labels: int64 classes or float32 scores; -1 or NaN throughout where there are none.
        origin: one line for people.
        domains: what each text is about (probe sets only).
        is_labelled: whether `labels` means anything.
        sha256: of texts, pairs and labels, wherever they came from.
    """

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: np.ndarray
    origin: str
    domains: tuple[str, ...] | None = None
    is_labelled: bool = True
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the checksum; texts that are not valid Unicode are refused, as no tokenizer takes them."""
        digest = hashlib.sha256()
        pairs = self.pairs or (None,) * len(self.texts)
        labels = self.labels.tolist() if self.is_labelled else (None,) * len(self.texts)
        for number, row in enumerate(zip(self.texts, pairs, labels, strict=True), start=1):
            try:
                digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8"))
            except UnicodeEncodeError as error:
                raise DataError(f"{self.origin}: row {number} holds half a character, expected Unicode text") from error
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        """Rows."""
        return len(self.texts)

    def take(self, indices: Sequence[int] | np.ndarray, origin: str | None = None) -> Examples:
        """The examples of these numbers, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Examples(
            texts=tuple(self.texts[index] for index in chosen),
            pairs=None if self.pairs is None else tuple(self.pairs[index] for index in chosen),
            labels=self.labels[chosen],
            origin=origin or f"{self.origin}, {len(chosen)} of {len(self)} rows",
            domains=None if self.domains is None else tuple(self.domains[index] for index in chosen),
            is_labelled=self.is_labelled,
        )


def unlabelled(texts: Sequence[str], pairs: Sequence[str] | None, origin: str) -> Examples:
    """Examples to predict: texts alone."""
    labels = np.full(len(texts), -1, dtype=np.int64)
    return Examples(tuple(texts), None if pairs is None else tuple(pairs), labels, origin, is_labelled=False)


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
        raise DataError(f"{task.name}: split {split!r} is unknown, expected one of {expected}")
    if source == "probe":
        return _load_probe(task, split)
    if source == "hub":
        table, origin = _read_hub(task, split), f"hub {HUB_NAME}/{task.name}, split {split}"
    else:
        table, origin = read_folder(task, split, Path(source))
    return _build(table, task.text, task.label, task, origin, empty_allowed=True)


def load_file(
    path: str | Path,
    text: str,
    pair: str | None,
    label: str | None,
    task: Task | None = None,
    labels: Sequence[str] | None = None,
    *,
    regression: bool = False,
    training: bool = False,
) -> tuple[Examples, tuple[str, ...] | None]:
    """Read a user's own CSV, TSV, JSON lines or parquet file.

    Args:
        path: the file.
        text: column of the first (or only) text.
        pair: column of the second text, or None.
        label: column of the label, or None for texts to predict.
        task: the task whose labels are expected; it settles `labels` and `regression`.
        labels: the label words expected, in order; None infers them: the distinct words, sorted.
        regression: whether the label is a score.
        training: whether there must be at least two different labels to learn from (always so where they are inferred).

    Returns:
        The examples, and the label words (None for a regression or without a label).
    """
    table = read_table(path)
    columns = (text,) if pair is None else (text, pair)
    if task is not None and len(columns) != len(task.text):
        count = {1: "one text column", 2: "two text columns"}
        raise DataError(
            f"{path}: {count[len(columns)]} given, but task {task.name} reads {' and '.join(task.text)}, "
            f"expected {count[len(task.text)]}"
        )
    if len({*columns, label}) != len(columns) + 1:
        given = ", ".join(map(repr, (*columns, label)))
        raise DataError(f"{path}: columns {given} given, expected a different column for each text and the label")
    origin = f"file {Path(path).name}"
    if label is None:
        texts = [checked_texts(table, column, empty_allowed=False) for column in columns]
        return unlabelled(texts[0], texts[1] if pair else None, origin), None
    if task is not None:
        labels, regression = task.labels, task.is_regression
    words = None if labels is None or regression else tuple(labels)
    if not regression and words is None:
        words, training = infer_labels(table.column(label), f"{path}, column {label!r}"), True
    examples = _build(table, columns, label, task, origin, empty_allowed=False, labels=words)
    if training:
        require_two_labels(examples, words)
    return examples, words


def require_two_labels(examples: Examples, labels: Sequence[str] | None) -> None:
    """Raise `DataError` where all examples have the same label, from which nothing can be learned."""
    distinct = np.unique(examples.labels)
    if len(distinct) < 2:
        only = repr(labels[int(distinct[0])]) if labels else f"{distinct[0]:g}"
        raise DataError(f"{examples.origin}: all labels are {only}, expected at least two different labels to train on")


def hold_out(examples: Examples, seed: int, share: float = 0.1) -> tuple[Examples, Examples]:
    """Split examples into (training, held out) by seed; labels keep their proportions."""
    count = max(1, round(len(examples) * share))
    if not 0 < share < 1 or count >= len(examples):
        raise DataError(f"{examples.origin}: {len(examples)} rows, expected enough to hold a share of {share:g} out")
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(examples))
    by_label = shuffled[np.argsort(examples.labels[shuffled], kind="stable")]
    chosen = np.zeros(len(examples), dtype=bool)
    chosen[by_label[((np.arange(count) + 0.5) * len(examples) / count).astype(int)]] = True
    what = f"{count} of {len(examples)} rows held out by seed {seed}"
    return (
        examples.take(np.flatnonzero(~chosen), f"{examples.origin}, all but {what}"),
        examples.take(np.flatnonzero(chosen), f"{examples.origin}, {what}"),
    )


def _build(
    table: Table,
    columns: Sequence[str],
    label: str,
    task: Task | None,
    origin: str,
    *,
    empty_allowed: bool,
    labels: tuple[str, ...] | None = None,
    domains: tuple[str, ...] | None = None,
) -> Examples:
    if not len(table):
        raise DataError(f"{table.where}: holds no rows, expected at least one example")
    for column in (*columns, label):
        table.column(column)
    texts = [checked_texts(table, column, empty_allowed) for column in columns]
    words = labels if task is None else task.labels
    where = f"{table.where}, column {label!r}"
    if words is None:
        numbers = scores(table.column(label), where, task.label_range if task else None)
    else:
        numbers = class_numbers(table.column(label), words, where)
    return Examples(texts[0], texts[1] if len(texts) == 2 else None, numbers, origin, domains)


def _read_hub(task: Task, split: str) -> Table:
    where = f"hub {HUB_NAME}/{task.name}"
    if task.name not in TASKS:
        raise DataError(f"{where}: is not a GLUE task, expected one of {', '.join(TASKS)}")
    try:
        import datasets

        data: Any = datasets.load_dataset(HUB_NAME, task.name, split=split)
        return Table(where, {name: list(data[name]) for name in data.column_names})
    except Exception as error:  # whatever the network, the cache or the library raises, the remedy is the same
        reason = (str(error).strip().splitlines() or [""])[0][:200] or type(error).__name__
        raise DataError(
            f"{where}, split {split}: unreachable ({reason}); expected a network, or a folder with GLUE "
            f"(--data DIR or {SOURCE_VARIABLE}), or --data probe"
        ) from error


def _load_probe(task: Task, split: str) -> Examples:
    if split == "train":
        raise DataError(f"{task.name}: the probe set is never trained on, expected split {task.validation[0]!r}")
    path = PROBE_FOLDER / f"{task.name}.jsonl"
    if not path.is_file():
        available = ", ".join(sorted(found.stem for found in PROBE_FOLDER.glob("*.jsonl"))) or "none"
        raise DataError(f"{task.name}: no probe set in {PROBE_FOLDER}, expected one of: {available}")
    table = read_table(path)
    domains = None
    if "domain" in table.columns:
        domains = tuple("" if value is None else str(value) for value in table.columns["domain"])
    origin = f"probe set {task.name}"
    return _build(table, task.text, task.label, task, origin, empty_allowed=False, domains=domains)
