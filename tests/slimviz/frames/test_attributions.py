from __future__ import annotations

import numpy as np
import pytest

from slimviz.frames.attributions import FEWEST_RANKED, Reading, attribution_frame, rank_correlation, respelled
from slimviz.frames.tidy import groups, records

TEACHER = Reading(
    (("the",), ("film", "##ing"), ("!",), ("x",)),
    np.array([0.5, -1.0, 0.25, 0.125]),
    np.array([0.4, -2.0, 0.2, 0.1]),
    value=1.0,
    baseline=1.25,
)
SLIM = Reading(
    (("the",), ("f", "##ilming"), ("!",), ()),
    np.array([0.75, -0.5, 0.25, np.nan]),
    np.array([-0.3, 2.0, 0.1, np.nan]),
    value=-0.5,
    baseline=-0.25,
)
WORDS = [(0, "the"), (0, "filming"), (0, "!"), (0, "x")]


def test_the_difference_is_slim_minus_teacher_word_by_word() -> None:
    frame = attribution_frame(WORDS, {"teacher": TEACHER, "slim": SLIM}, ["Sentence"])
    parts = {name: records(part) for name, part in groups(frame, "network")}
    assert list(parts) == ["teacher", "slim", "difference"]
    assert [row["integrated"] for row in parts["teacher"]] == [0.5, -1.0, 0.25, 0.125]
    assert [row["integrated"] for row in parts["difference"]] == [0.25, 0.5, 0.0, None]
    assert [row["left_out"] for row in parts["difference"]] == pytest.approx([-0.7, 4.0, -0.1, None])
    assert [row["label"] for row in parts["slim"]] == ["+0.75", "−0.50", "+0.25", "–"]
    assert [row["label"] for row in parts["difference"]] == ["+0.25", "+0.50", "±0.00", "–"]
    assert parts["teacher"][1]["told"] == "filming: −1.00; left out: −2.00"
    assert [row["pieces"] for row in parts["slim"]] == ["the", "f ##ilming", "!", "–"]
    assert parts["difference"][1]["pieces"] == "film ##ing → f ##ilming"
    assert [row["is_respelled"] for row in parts["slim"]] == [False, True, False, False]
    assert respelled(TEACHER, SLIM) == [1]


def test_rows_have_keys_of_their_own_in_the_order_of_the_text_and_pairs_have_titles() -> None:
    words = [(0, "a"), (0, "a"), (1, "a"), (1, "a")]
    rows = records(attribution_frame(words, {"slim": TEACHER}, ["Premise", "Hypothesis"]))
    keys = [row["row"] for row in rows]
    assert keys == sorted(keys)
    assert len(set(keys)) == 6
    assert [key[5:] for key in keys] == ["Premise", "a", "a", "Hypothesis", "a", "a"]
    assert [row["word"] for row in rows] == [None, "a", "a", None, "a", "a"]
    assert {row["network"] for row in rows} == {"slim"}


def test_error_is_what_is_missing_of_the_difference() -> None:
    assert TEACHER.difference == -0.25
    assert TEACHER.error == pytest.approx(-0.125 + 0.25)
    assert SLIM.error == pytest.approx(0.5 + 0.25)  # a word that is not read counts for nothing


def test_ranks_are_compared_over_the_words_that_both_have() -> None:
    assert TEACHER.agreement == pytest.approx(1.0)
    assert SLIM.agreement is None  # three words
    first = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    assert rank_correlation(first, np.array([-1.0, -8.0, -9.0, -100.0, 5.0])) == pytest.approx(-1)
    assert rank_correlation(first, np.ones(5)) == 0
    assert rank_correlation(first[:FEWEST_RANKED], first[:FEWEST_RANKED]) == pytest.approx(1)
