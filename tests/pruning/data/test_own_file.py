"""A user's own files: every kind, which columns are read, and what each row may hold."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from pruning.data.examples import Examples
from pruning.data.own_file import load_file
from pruning.data.tasks import TASKS, custom_task
from pruning.errors import DataError


def write_csv(path: Path, columns: dict[str, list[object]]) -> Path:
    lines = [",".join(columns)] + [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_examples(tmp_path: Path, suffix: str) -> None:
    columns = {"first": ["one", "two", "three"], "second": ["a", "b", "c"], "kind": ["x", "y", "x"]}
    rows = list(zip(*columns.values(), strict=True))
    path = tmp_path / f"own{suffix}"
    if suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in rows), encoding="utf-8")
    else:
        between = "," if suffix == ".csv" else "\t"
        path.write_text("\n".join(between.join(row) for row in [tuple(columns), *rows]), encoding="utf-8")
    examples, labels = load_file(path, "first", "second", "kind")
    assert labels == ("x", "y")
    assert (examples.texts, examples.pairs) == (("one", "two", "three"), ("a", "b", "c"))
    assert examples.labels.tolist() == [0, 1, 0]
    assert examples.origin == f"file own{suffix}"
    assert examples.sha256 == Examples(examples.texts, examples.pairs, np.array([0, 1, 0]), "elsewhere").sha256
    unlabelled, labels = load_file(path, "second", None, None)
    assert (unlabelled.texts, unlabelled.is_labelled, labels) == (("a", "b", "c"), False, None)


def test_the_tasks_labels_are_expected_where_there_is_a_task(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": [1, 2]})
    for words, numbers in {("1", "2"): [0, 1], ("2", "1"): [1, 0], ("0", "1", "2"): [1, 2]}.items():
        task = custom_task("stars", ("text",), words)
        assert load_file(path, "text", None, "label", task)[0].labels.tolist() == numbers
    score = custom_task("stars", ("text",), None, label_range=(0.0, 5.0))
    assert load_file(path, "text", None, "label", score)[0].labels.dtype == np.float32
    with pytest.raises(DataError, match=r"x\.csv, column 'label': row 1 has the unknown label '1', expected negative"):
        load_file(path, "text", None, "label", TASKS["sst2"])


def test_one_label_is_enough_to_measure_but_not_to_train(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["positive", "positive"]})
    assert load_file(path, "text", None, "label", TASKS["sst2"])[0].labels.tolist() == [1, 1]
    for arguments in ({}, {"task": TASKS["sst2"], "training": True}):
        with pytest.raises(DataError, match=r"x\.csv: all labels are 'positive', expected at least two"):
            load_file(path, "text", None, "label", **arguments)
    scores = write_csv(tmp_path / "y.csv", {"text": ["a", "b"], "label": [2.5, 2.5]})
    with pytest.raises(DataError, match=r"all labels are 2\.5, expected"):
        load_file(scores, "text", None, "label", regression=True, training=True)


def test_regression(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b", "c"], "label": [1, 2.5, -3e2]})
    examples, labels = load_file(path, "text", None, "label", regression=True)
    assert (examples.labels.tolist(), labels) == ([1.0, 2.5, -300.0], None)
    with pytest.raises(DataError, match=r"'2\.5' looks like a score, expected label words, or a regression"):
        load_file(path, "text", None, "label")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"t": "", "l": "x"}, "x.jsonl: row 2, column 't' is empty, expected a text"),
        ({"l": "x"}, "x.jsonl: row 2, column 't' is empty, expected a text"),
        ({"t": "half \ud83d", "l": "x"}, "x.jsonl: row 2 holds half a character, expected Unicode text"),
        ({"t": "b"}, "x.jsonl, column 'l': row 2 is empty, expected a label"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, record: dict[str, object], message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"t": "a", "l": "y"}) + "\n" + json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(message)):
        load_file(path, "t", None, "l")


@pytest.mark.parametrize(
    ("columns", "task", "message"),
    [
        (("words", None, "label"), None, "x.csv: no column 'words'; expected one of: 'text', 'label'"),
        (("text", "words", "label"), None, "x.csv: no column 'words'"),
        (("text", None, "text"), None, "columns 'text', 'text' given, expected a different column for each"),
        (("text", "label", "label"), None, "expected a different column for each"),
        (("text", "text", None), None, "expected a different column for each"),
        (("text", None, "label"), "mrpc", "task mrpc reads sentence1 and sentence2, expected two text columns"),
        (("text", "other", "label"), "sst2", "task sst2 reads sentence, expected one text column"),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: tuple[Any, ...], task: str | None, message: str) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(DataError, match=re.escape(message)):
        load_file(path, *columns, None if task is None else TASKS[task])
