from __future__ import annotations

import pandas as pd
import pytest

from pruning.study import Study, load_factors, load_masks
from slimviz.frames.dna import ALL, EVERY, NO, ONE, dna_frame
from slimviz.frames.heads import HeadStudy, head_frame
from slimviz.frames.tidy import records
from slimviz.theme import CUT_MARK

TASKS = ("sst2", "cola", "mrpc")


@pytest.fixture(scope="module")
def heads(studies: dict[str, Study]) -> pd.DataFrame:
    shown = [HeadStudy(n, n.upper(), load_factors(studies[n]), load_masks(studies[n], "10")) for n in TASKS]
    return head_frame(shown, "alpha")


def test_keepers_are_counted_from_the_masks(heads: pd.DataFrame, studies: dict[str, Study]) -> None:
    shape = studies["sst2"].shape
    kept = sum((load_masks(studies[name], "10").heads(shape) > 0).astype(int) for name in TASKS)
    rows = records(dna_frame(heads))
    assert [(row["layer"], row["head"]) for row in rows] == [(i, j) for i in range(1, 7) for j in range(1, 13)]
    assert [row["keepers"] for row in rows] == kept.ravel().tolist()
    assert {row["tasks"] for row in rows} == {3}
    assert all(row["mark"] == (str(row["keepers"]) if row["keepers"] else CUT_MARK) for row in rows)
    alone = next(row for row in rows if row["keepers"] == 1)
    place = (alone["layer"] - 1, alone["head"] - 1)
    assert [alone["titles"].lower()] == [
        name for name in TASKS if load_masks(studies[name], "10").heads(shape)[place] > 0
    ]


@pytest.mark.parametrize(("shown", "keepers"), [(ONE, {1}), (EVERY, {3}), (NO, {0}), (ALL, {0, 1, 2, 3})])
def test_a_filter_leaves_the_other_heads_blank(heads: pd.DataFrame, shown: str, keepers: set[int]) -> None:
    rows = records(dna_frame(heads, shown))
    assert len(rows) == 72
    for row in rows:
        assert row["is_shown"] == (row["keepers"] in keepers)
        assert bool(row["mark"]) == row["is_shown"]
        assert row["share"] == (row["keepers"] / 3 if row["is_shown"] else 0)
