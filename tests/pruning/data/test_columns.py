"""Columns to texts, classes and scores: words are words, and numbers are never taken for other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.data.columns import checked_texts, class_numbers, infer_labels, scores
from pruning.data.tables import Table
from pruning.errors import DataError

STARS = ("1", "2", "3")


@pytest.mark.parametrize("value", [None, float("nan"), "", " \t"])
def test_empty_cells_are_named(value: Any) -> None:
    table = Table("x.csv", {"text": ["a", value]})
    with pytest.raises(DataError, match=r"^x\.csv: row 2, column 'text' is empty, expected a text$"):
        checked_texts(table, "text", empty_allowed=False)
    with pytest.raises(DataError, match=r"^x\.csv: row 2 is empty, expected a label$"):
        class_numbers(["a", value], ("a", "b"), "x.csv")
    if value == "":
        assert checked_texts(table, "text", empty_allowed=True) == ("a", "")


@pytest.mark.parametrize("value", [["b"], {"is": "x"}, b"bytes"])
def test_cells_of_other_kinds_are_shown(value: Any) -> None:
    with pytest.raises(DataError) as text:
        checked_texts(Table("x", {"text": [value]}), "text", empty_allowed=True)
    with pytest.raises(DataError) as label:
        infer_labels([value], "x")
    assert str(text.value) == f"x: row 1, column 'text' is {value!r}, expected a text"
    assert str(label.value) == f"x: row 1 is {value!r}, expected a word or a number"


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["pos", "neg", "pos"], ("neg", "pos")),
        ([" pos", "neg ", "pos"], ("neg", "pos")),
        ([10, 9, 2], ("2", "9", "10")),  # sorted as numbers
        (["10", "9", "2"], ("2", "9", "10")),
        ([-1, 1, 1], ("-1", "1")),
        (["1.0", "0.0", "1.0"], ("0", "1")),
        ([1.0, 2.0], ("1", "2")),
        (["True", "False"], ("False", "True")),
        ([True, False], ("false", "true")),
    ],
)
def test_labels_are_inferred(values: list[Any], labels: tuple[str, ...]) -> None:
    assert infer_labels(values, "x.csv") == labels


def test_scores_and_texts_are_no_labels() -> None:
    with pytest.raises(DataError, match=r"'2\.5' looks like a score, expected label words, or a regression"):
        infer_labels(["1", "2.5"], "x.csv")
    with pytest.raises(DataError, match="60 different values in 60 rows, expected a few label words"):
        infer_labels([f"sentence {number}" for number in range(60)], "x.csv")


@pytest.mark.parametrize(
    ("labels", "values", "numbers"),
    [
        (STARS, [1, 2, 3], [0, 1, 2]),
        (STARS, ["1", "2"], [0, 1]),  # words, though they could be numbers of labels
        (STARS, ["1.0", "3.0"], [0, 2]),
        (("1.0", "2.0"), ["1.0", "2", 1], [0, 1, 0]),
        (("1", "0"), [0, 1, 1], [1, 0, 0]),
        (("-1", "1"), [-1, 1], [0, 1]),
        (("negative", "positive"), [0, 1], [0, 1]),
        (("negative", "positive"), ["positive", " negative"], [1, 0]),
        (("LABEL_0", "LABEL_1"), [0, 1], [0, 1]),
        (("LABEL_1", "LABEL_0"), ["LABEL_0", "LABEL_1"], [1, 0]),
        (("covid-19", "flu"), [0, 1], [0, 1]),
        (("false", "true"), [True, False], [1, 0]),
        (("False", "True"), [0, 1], [0, 1]),
    ],
)
def test_words_and_numbers(labels: tuple[str, ...], values: list[Any], numbers: list[int]) -> None:
    """Words mean themselves; numbers are those of the labels only where no label could be meant by them."""
    found = class_numbers(values, labels, "x.csv, column 'label'")
    assert (found.tolist(), found.dtype) == (numbers, np.int64)


@pytest.mark.parametrize(
    ("labels", "values", "word"),
    [
        (STARS, [0, 1, 2], "0"),  # would shift every label by one
        (("2", "3"), [0, 1], "0"),
        (("0.5", "1.5"), [0, 1], "0"),
        (("0", "1", "many"), [0, 2], "2"),
        (("one", "2"), [0, 1], "0"),
        (("1 star", "2 stars", "3 stars"), [1, 2], "1"),
        (("LABEL_1", "LABEL_0"), [0, 1], "0"),
        (("true", "false"), [1, 0], "1"),
        (("negative", "positive"), [1, 2], "1"),
        (("negative", "positive"), ["positive", 0], "0"),
        (("negative", "positive"), [True, False], "true"),
    ],
)
def test_numbers_of_another_meaning_are_refused(labels: tuple[str, ...], values: list[Any], word: str) -> None:
    """Fault 12."""
    held = ", ".join(sorted({str(value).lower() for value in values}))
    said = rf"row \d has the unknown label '{word}', expected {', '.join(labels)}(, or .*)?; the column holds {held}$"
    with pytest.raises(DataError, match=rf"^x\.csv, column 'label': {said}"):
        class_numbers(values, labels, "x.csv, column 'label'")


def test_labels_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(DataError, match="the task's labels 1, 1\\.0 cannot be told apart"):
        class_numbers(["1"], ("1", "1.0"), "x.csv")


@given(st.data())
def test_words_always_mean_themselves(data: st.DataObject) -> None:
    words = st.one_of(st.integers(0, 5).map(str), st.sampled_from(["no", "yes", "LABEL_0", "LABEL_2", "true", "false"]))
    labels = tuple(data.draw(st.lists(words, min_size=2, max_size=6, unique=True)))
    values = data.draw(st.lists(st.sampled_from(labels), min_size=1, max_size=9))
    assert [labels[number] for number in class_numbers(values, labels, "x")] == values


@pytest.mark.parametrize(
    "value",
    ["good", "nan", "NaN", "inf", "1e60", "3,5", "'4'", None, True, 10**400, 10**5000, [1], float("nan")],
    ids=lambda value: repr(value)[:9] if not isinstance(value, int) else str(value.bit_length()),
)
def test_scores_that_are_no_numbers(value: Any) -> None:
    with pytest.raises(DataError, match=r"^x\.tsv: row 2 is .*, expected a number$"):
        scores([1.5, value], "x.tsv", None)


def test_scores_within_their_range() -> None:
    found = scores(["1", 2.5, 5], "x.tsv", (0.0, 5.0))
    assert (found.tolist(), found.dtype) == ([1.0, 2.5, 5.0], np.float32)
    with pytest.raises(DataError, match=r"row 1 is '-0\.1', expected a number from 0 to 5"):
        scores(["-0.1"], "x.tsv", (0.0, 5.0))
