"""Heads under the knife, and what a cut changed, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pruning.data.tasks import get_task
from pruning.study import Study, load_factors, load_masks
from slimviz.frames.heads import HeadStudy, head_frame
from slimviz.frames.surgery import effect, surgery_frame
from slimviz.frames.tidy import records


def test_every_head_is_at_work_cut_or_gone(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    ranked = head_frame([HeadStudy("sst2", "SST-2", load_factors(study), load_masks(study, "10"))], "alpha", "rank")
    there, cut = [(0, 0), (0, 1), (5, 11)], [(0, 1)]
    rows = records(surgery_frame(study.shape, there, cut, ranked))
    assert len(rows) == 72
    states = {(row["layer"], row["head"]): row["state"] for row in rows if row["state"] != "gone"}
    assert states == {(1, 1): "on", (1, 2): "cut", (6, 12): "on"}
    for row, rank in zip(rows, records(ranked), strict=True):
        assert (row["layer"], row["head"], row["shade"]) == (rank["layer"], rank["head"], rank["shade"])
        assert row["rank"] == f"{rank['rank']} of 72"
    plain = records(surgery_frame(study.shape, there, cut, None))
    assert [row["state"] for row in plain] == [row["state"] for row in rows]
    assert {(row["shade"], row["rank"]) for row in plain} == {(1.0, "not measured")}


def test_an_effect_on_classes() -> None:
    before = np.array([[2.0, 0], [2, 0], [0, 2], [0, 2]])
    after = np.array([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    found = effect(get_task("sst2"), before, after, np.array([0, 1, 1, 0]))
    assert (found.examples, found.metric, found.before, found.after) == (4, "accuracy", 0.5, 0.5)
    assert (found.correct_before, found.correct_after, found.changed, found.moved) == (2, 2, 2, None)


def test_an_effect_on_scores() -> None:
    labels = np.array([0.0, 1, 2, 3])
    found = effect(get_task("stsb"), labels[:, None], 3 - labels[:, None], labels)
    assert (found.before, found.after) == (pytest.approx(1), pytest.approx(-1))
    assert found.moved == pytest.approx(2)
    assert (found.correct_before, found.changed) == (None, None)
