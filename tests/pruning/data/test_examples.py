"""Examples: checksums, taking some, holding some out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pruning.data.examples import Examples, hold_out, unlabelled
from pruning.errors import DataError


def test_checksum_is_of_the_content_alone(tiny_pairs: Examples) -> None:
    again = Examples(tiny_pairs.texts, tiny_pairs.pairs, tiny_pairs.labels.copy(), "elsewhere")
    assert again.sha256 == tiny_pairs.sha256
    assert tiny_pairs.pairs is not None
    others = [
        Examples(tiny_pairs.pairs, tiny_pairs.texts, tiny_pairs.labels, ""),
        Examples(tiny_pairs.texts, None, tiny_pairs.labels, ""),
        Examples(tiny_pairs.texts, tiny_pairs.pairs, tiny_pairs.labels[::-1].copy(), ""),
        tiny_pairs.take(range(9)),
        tiny_pairs.take(range(9, -1, -1)),
        unlabelled(tiny_pairs.texts, tiny_pairs.pairs, ""),
    ]
    assert len({other.sha256 for other in [*others, tiny_pairs]}) == len(others) + 1
    one, other = (Examples(texts, None, np.zeros(2, int), "") for texts in (("ab", "c"), ("a", "bc")))
    assert one.sha256 != other.sha256


def test_take(tiny_pairs: Examples) -> None:
    taken = tiny_pairs.take(np.array([3, 0]))
    assert tiny_pairs.pairs is not None
    assert taken.texts == (tiny_pairs.texts[3], tiny_pairs.texts[0])
    assert taken.pairs == (tiny_pairs.pairs[3], tiny_pairs.pairs[0])
    assert taken.labels.tolist() == tiny_pairs.labels[[3, 0]].tolist()
    assert taken.origin == "tiny pairs, 2 of 10 rows"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=200), st.integers(0, 9), st.sampled_from([0.1, 0.25, 0.5]))
def test_hold_out_splits_by_seed_and_keeps_proportions(classes: list[int], seed: int, share: float) -> None:
    texts = tuple(f"text {number}" for number in range(len(classes)))
    examples = Examples(texts, None, np.array(classes), "own")
    training, held = hold_out(examples, seed, share)
    assert sorted(training.texts + held.texts) == sorted(texts)
    assert len(held) == max(1, round(share * len(classes)))
    for label in set(classes):  # systematic sampling along the sorted labels is off by less than one either way
        expected = classes.count(label) * len(held) / len(classes)
        assert abs((held.labels == label).sum() - expected) < 1 + 1e-9
    again = hold_out(examples, seed, share)
    assert (again[0].sha256, again[1].sha256) == (training.sha256, held.sha256)


def test_hold_out_is_stated_and_depends_on_the_seed(tiny_examples: Examples) -> None:
    training, held = hold_out(tiny_examples, seed=3)
    assert held.origin == "tiny examples, 2 of 22 rows held out by seed 3"
    assert training.origin == "tiny examples, all but 2 of 22 rows held out by seed 3"
    assert len({hold_out(tiny_examples, seed)[1].texts for seed in range(10)}) > 5
    with pytest.raises(DataError, match="tiny examples, 1 of 22 rows: 1 rows, expected enough"):
        hold_out(tiny_examples.take([0]), 0)


def test_where_they_came_from_is_one_printable_line() -> None:
    examples = Examples(("a",), None, np.zeros(1, int), "file \x1b[2J\n.csv")
    assert examples.origin == "file [2J .csv"
    assert examples.take([0]).origin == "file [2J .csv, 1 of 1 rows"
