"""Label columns to class numbers: words are words, and numbers are never taken for other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.data.columns import class_numbers
from pruning.errors import DataError

STARS = ("1", "2", "3")


@pytest.mark.parametrize(
    ("labels", "values", "numbers"),
    [
        (STARS, [1, 2, 3], [0, 1, 2]),
        (STARS, ["1", "2"], [0, 1]),  # words, though they could be numbers of labels
        (STARS, ["1.0", "3.0"], [0, 2]),
        (STARS, [1.0, 2.0], [0, 1]),
        (("1.0", "2.0"), ["1.0", "2", 1], [0, 1, 0]),
        (("1", "0"), [0, 1, 1], [1, 0, 0]),
        (("-1", "1"), [-1, 1], [0, 1]),
        (("negative", "positive"), [0, 1], [0, 1]),
        (("negative", "positive"), ["positive", " negative"], [1, 0]),
        (("negative", "positive"), ["1.0", "1.0"], [1, 1]),
        (("LABEL_0", "LABEL_1"), [0, 1], [0, 1]),
        (("LABEL_1", "LABEL_0"), ["LABEL_0", "LABEL_1"], [1, 0]),
        (("covid-19", "flu"), [0, 1], [0, 1]),
        (("false", "true"), [True, False], [1, 0]),
        (("False", "True"), [0, 1], [0, 1]),
    ],
)
def test_words_and_numbers(labels: tuple[str, ...], values: list[Any], numbers: list[int]) -> None:
    found = class_numbers(values, labels, "x.csv, column 'label'")
    assert (found.tolist(), found.dtype) == (numbers, np.int64)


@pytest.mark.parametrize(
    ("labels", "values", "word"),
    [
        (STARS, [0, 1, 2], "0"),  # would shift every label by one
        (STARS, [0, 0], "0"),
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
    with pytest.raises(DataError) as caught:
        class_numbers(values, labels, "x.csv, column 'label'")
    message = str(caught.value)
    assert message.startswith("x.csv, column 'label': row ")
    assert f"has the unknown label '{word}', expected {', '.join(labels)}" in message
    held = sorted({str(value).lower() for value in values})
    assert message.endswith(f"; the column holds {', '.join(held)}")


def test_labels_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(DataError, match="the task's labels 1, 1\\.0 cannot be told apart"):
        class_numbers(["1"], ("1", "1.0"), "x.csv")


@given(st.data())
def test_words_always_mean_themselves(data: st.DataObject) -> None:
    words = st.one_of(st.integers(0, 5).map(str), st.sampled_from(["no", "yes", "LABEL_0", "LABEL_2", "true", "false"]))
    labels = tuple(data.draw(st.lists(words, min_size=2, max_size=6, unique=True)))
    values = data.draw(st.lists(st.sampled_from(labels), min_size=1, max_size=9))
    assert [labels[number] for number in class_numbers(values, labels, "x")] == values
