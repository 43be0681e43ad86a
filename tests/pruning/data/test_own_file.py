"""A user's own files: columns, labels, scores, and what is wrong with them."""

import json
from pathlib import Path

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
    assert examples.texts == ("one", "two", "three")
    assert examples.pairs == ("a", "b", "c")
    assert examples.labels.tolist() == [0, 1, 0]
    assert examples.origin == f"file own{suffix}"
    assert examples.sha256 == Examples(examples.texts, examples.pairs, np.array([0, 1, 0]), "elsewhere").sha256


@pytest.mark.parametrize(
    ("values", "labels", "numbers"),
    [
        (["pos", "neg", "pos"], ("neg", "pos"), [1, 0, 1]),
        ([" pos", "neg ", "pos"], ("neg", "pos"), [1, 0, 1]),
        ([0, 1, 0], ("0", "1"), [0, 1, 0]),
        ([10, 9, 2], ("2", "9", "10"), [2, 1, 0]),  # sorted as numbers
        ([-1, 1, 1], ("-1", "1"), [0, 1, 1]),
        (["1.0", "0.0", "1.0"], ("0", "1"), [1, 0, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
    ],
)
def test_labels_are_inferred(tmp_path: Path, values: list[object], labels: tuple[str, ...], numbers: list[int]) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b", "c"], "label": values})
    examples, found = load_file(path, "text", None, "label")
    assert (found, examples.labels.tolist(), examples.labels.dtype) == (labels, numbers, np.int64)


def test_typed_labels_of_json_and_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"t": "a", "l": true}\n{"t": "b", "l": false}\n', encoding="utf-8")
    assert load_file(path, "t", None, "l")[1] == ("false", "true")
    pyarrow.parquet.write_table(pyarrow.table({"t": ["a", "b"], "l": [1.0, 2.0]}), tmp_path / "x.parquet")
    examples, labels = load_file(tmp_path / "x.parquet", "t", None, "l")
    assert (labels, examples.labels.tolist()) == (("1", "2"), [0, 1])


def test_known_labels_as_words_or_as_numbers(tmp_path: Path) -> None:
    words = write_csv(tmp_path / "words.csv", {"text": ["a", "b"], "label": ["positive", "negative"]})
    numbers = write_csv(tmp_path / "numbers.csv", {"text": ["a", "b"], "label": [1, 0]})
    for path in (words, numbers):
        assert load_file(path, "text", None, "label", TASKS["sst2"])[0].labels.tolist() == [1, 0]
    task = custom_task("stars", ("text",), ("1", "2"))  # here the words are numbers themselves
    twos = write_csv(tmp_path / "twos.csv", {"text": ["a", "b"], "label": [1, 2]})
    assert load_file(twos, "text", None, "label", task)[0].labels.tolist() == [0, 1]
    swapped = custom_task("stars", ("text",), ("2", "1"))
    assert load_file(twos, "text", None, "label", swapped)[0].labels.tolist() == [1, 0]


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
    assert labels is None
    assert examples.labels.tolist() == [1.0, 2.5, -300.0]
    assert examples.labels.dtype == np.float32
    with pytest.raises(DataError, match=r"'2\.5' looks like a score, expected label words, or a regression"):
        load_file(path, "text", None, "label")
    with pytest.raises(DataError, match=r"row 3 is '-300\.0', expected a number from 0 to 5"):
        load_file(path, "text", None, "label", custom_task("stars", ("text",), None, label_range=(0.0, 5.0)))


@pytest.mark.parametrize("value", ["good", "nan", "inf", "1e60", "3,5", "'4'"])
def test_scores_that_are_no_numbers(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.tsv"
    path.write_text(f"text\tscore\na\t1.5\nb\t{value}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.tsv, column 'score': row 2 is .*, expected a number"):
        load_file(path, "text", None, "score", regression=True)


@pytest.mark.parametrize("value", ["null", "true", "1" + "0" * 400, "[1]", '"NaN"', "NaN"])
def test_json_scores_that_are_no_numbers(tmp_path: Path, value: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(f'{{"t": "a", "s": 1}}\n{{"t": "b", "s": {value}}}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"row 2 is .*, expected a number"):
        load_file(path, "t", None, "s", regression=True)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"t": "", "l": "x"}, "row 2, column 't' is empty, expected a text"),
        ({"t": " \t", "l": "x"}, "row 2, column 't' is empty, expected a text"),
        ({"t": None, "l": "x"}, "row 2, column 't' is empty"),
        ({"l": "x"}, "row 2, column 't' is empty"),
        ({"t": float("nan"), "l": "x"}, "row 2, column 't' is empty"),
        ({"t": 5, "l": "x"}, "row 2, column 't' is 5, expected a text"),
        ({"t": ["b"], "l": "x"}, "row 2, column 't' is ['b'], expected a text"),
        ({"t": "half \ud83d", "l": "x"}, "row 2 holds half a character, expected Unicode text"),
        ({"t": "b", "l": None}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b", "l": " "}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b"}, "column 'l': row 2 is empty, expected a label"),
        ({"t": "b", "l": {"is": "x"}}, "column 'l': row 2 is {'is': 'x'}, expected a word"),
    ],
)
def test_bad_cells_are_named_by_row(tmp_path: Path, record: dict[str, object], message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"t": "a", "l": "y"}) + "\n" + json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load_file(path, "t", None, "l")
    assert message in str(caught.value)
    assert "x.jsonl" in str(caught.value)


def test_unknown_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["positive", "Negative"]})
    with pytest.raises(DataError, match="row 2 has the unknown label 'Negative', expected negative, positive, or"):
        load_file(path, "text", None, "label", TASKS["sst2"])
    mixed = write_csv(tmp_path / "y.csv", {"text": ["a", "b"], "label": ["positive", 0]})
    with pytest.raises(DataError, match="row 2 has the unknown label '0'"):
        load_file(mixed, "text", None, "label", TASKS["sst2"])


def test_a_column_of_texts_is_no_label(tmp_path: Path) -> None:
    texts: list[object] = [f"sentence {number}" for number in range(60)]
    path = write_csv(tmp_path / "x.csv", {"text": texts, "other": texts})
    with pytest.raises(DataError, match="60 different values in 60 rows, expected a few label words"):
        load_file(path, "text", None, "other")


def test_wrong_columns(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"], "label": ["x", "y"]})
    for arguments in (("words", None, "label"), ("text", "words", "label"), ("text", None, "words")):
        with pytest.raises(DataError, match=r"x\.csv: no column 'words'; expected one of: 'text', 'label'"):
            load_file(path, *arguments)
    for arguments in (("text", None, "text"), ("text", "text", "label"), ("text", "label", "label")):
        with pytest.raises(DataError, match="expected a different column for each"):
            load_file(path, *arguments)
    with pytest.raises(DataError, match="task mrpc reads sentence1 and sentence2, expected two text columns"):
        load_file(path, "text", None, "label", TASKS["mrpc"])
    with pytest.raises(DataError, match="task sst2 reads sentence, expected one text column"):
        load_file(path, "text", "other", "label", TASKS["sst2"])


def test_texts_to_predict_need_no_label(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", {"text": ["a", "b"]})
    examples, labels = load_file(path, "text", None, None)
    assert labels is None
    assert examples.texts == ("a", "b")
    assert not examples.is_labelled
    assert not examples.take([1]).is_labelled
