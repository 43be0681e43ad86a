"""Different answers, and what single heads do to one, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.data.tasks import get_task
from slimviz.frames.flips import MOST_SCORES, Turned, flips, turned, turned_frame
from slimviz.frames.tidy import records
from tests.factories.synthetic_study import bert_shape

HEADS = ((0, 0), (0, 2), (1, 1))


def test_flips_are_all_different_answers_the_most_decided_first() -> None:
    teacher = np.array([[3.0, 0], [1, 0], [0, 4], [0, 1]])
    slim = np.array([[0.0, 3], [0, 1], [0, 1], [5, 0]])
    assert flips(get_task("sst2"), teacher, slim) == [0, 3, 1]
    assert flips(get_task("sst2"), teacher, teacher) == []


def test_of_scores_those_furthest_apart_are_listed() -> None:
    apart = np.array([0.1, 2.0, 0.5] + [0.0] * 20)
    found = flips(get_task("stsb"), apart[:, None], np.zeros((23, 1)))
    assert found[:3] == [1, 2, 0]
    assert len(found) == MOST_SCORES


def test_single_heads_and_a_label() -> None:
    logits = np.log([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.1, 0.7], [0.1, 0.8, 0.1]])
    teacher, slim = np.array([0.0, 5, 1]), np.array([5.0, 0, 0])
    found = turned(get_task("mnli"), HEADS, logits, teacher, slim)
    assert found.heads == ((1, 1), (0, 0), (0, 2))
    assert found.there == (True, True, False)
    assert found.reach == pytest.approx((0.8, 0.6, 0.1))
    assert found.found == ((1, 1), (0, 0))
    assert not found.already
    assert turned(get_task("mnli"), HEADS, logits, slim, teacher).already


def test_single_heads_and_a_score() -> None:
    logits = np.array([[1.0], [1.4], [4.5], [2.5]])
    found = turned(get_task("stsb"), HEADS, logits, np.array([3.0]), np.array([1.0]))
    assert found.heads == ((1, 1), (0, 2), (0, 0))
    assert found.reach == pytest.approx((0.75, 0.25, 0.2))  # beyond the score is away from it, too
    assert found.there == (True, False, False)
    assert not found.already
    near = turned(get_task("stsb"), (), np.array([[2.5]]), np.array([3.0]), np.array([1.0]))
    assert near.already
    assert (near.heads, near.found) == ((), ())
    same = turned(get_task("stsb"), HEADS, logits, np.array([1.0]), np.array([1.0]))
    assert np.isfinite(same.reach).all()


def test_the_map_knows_which_heads_were_turned_over() -> None:
    one = Turned(((1, 1), (0, 0)), (True, False), (0.8, 0.3), already=False)
    rows = records(turned_frame(bert_shape(get_task("sst2"), layers=2, heads=3), one))
    assert [(row["layer"], row["head"]) for row in rows] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert [row["state"] for row in rows] == ["tried", "left", "left", "left", "there", "left"]
    assert [row["reach"] for row in rows] == [0.3, 0, 0, 0, 0.8, 0]
