"""Shared sentences: found whatever their punctuation, removed from training, never on both sides of a split."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.data.examples import Examples
from pruning.data.overlap import development_split, normalised, sentences, without_sentences
from pruning.errors import DataError


def pairs(*rows: tuple[str, str]) -> Examples:
    first, second = zip(*rows, strict=True)
    return Examples(first, second, np.arange(len(rows)) % 2, "rows")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("  It's\tHERE -- now! ", "it s here now"), ("Straße", "strasse"), ("...", ""), ("naïve 3.5%", "naïve 3 5")],
)
def test_sentences_are_compared_by_their_words(text: str, expected: str) -> None:
    assert normalised(text) == expected


def test_rows_that_share_either_text_go_and_are_counted() -> None:
    rows = pairs(("A b.", "c"), ("d", "e"), ("f", "A -- B"), ("!", "g"))
    left, gone = without_sentences(rows, sentences(pairs(("a b", "x"), ("?", "y"))))
    assert (left.texts, left.pairs, gone) == (("d", "!"), ("e", "g"), 2)
    assert "2 rows left out" in left.origin


def test_nothing_shared_gives_the_same_examples() -> None:
    rows = pairs(("a", "b"))
    assert without_sentences(rows, {"c"}) == (rows, 0)


def test_examples_that_are_all_evaluation_data_are_refused() -> None:
    with pytest.raises(DataError, match="every row shares a sentence with evaluation data"):
        without_sentences(pairs(("a", "b")), {"b"})


def test_no_sentence_is_on_both_sides_of_a_development_split() -> None:
    generator = np.random.default_rng(0)
    words = [(f"sentence {generator.integers(300)}", f"other {generator.integers(300)}") for _ in range(200)]
    rows = pairs(*words)
    train, development = development_split(rows, seed=0)
    assert not sentences(train) & sentences(development)
    assert len(train) + len(development) == len(rows)
    assert 10 <= len(development) <= 30
    again = development_split(rows, seed=0)
    assert [part.sha256 for part in again] == [train.sha256, development.sha256]
    assert development_split(rows, seed=1)[1].sha256 != development.sha256


def test_rows_that_all_hang_together_cannot_be_split() -> None:
    with pytest.raises(DataError, match=r"2 rows, expected enough to set a share of 0\.15 aside"):
        development_split(pairs(("a", "b"), ("b", "c")), seed=0)
