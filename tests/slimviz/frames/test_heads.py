from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pruning.study import Study, load_factors, load_masks
from slimviz.frames.heads import (
    HeadStudy,
    backbone_groups,
    clustered_order,
    criteria,
    difference_frame,
    head_frame,
    opening_criterion,
    similarity_frame,
)


@pytest.fixture(scope="module")
def shown(studies: dict[str, Study]) -> list[HeadStudy]:
    names = ("sst2", "cola", "mrpc", "stsb")
    return [HeadStudy(n, n.upper(), load_factors(studies[n]), load_masks(studies[n], "10")) for n in names]


@pytest.fixture(scope="module")
def heads(shown: list[HeadStudy]) -> pd.DataFrame:
    return head_frame(shown, "alpha")


def test_studies_are_grouped_by_backbone_and_shape(studies: dict[str, Study]) -> None:
    groups = backbone_groups(studies)
    assert groups == {
        "synthetic-bert (6 × 12 heads of 32)": ["cola", "mrpc", "sst2", "stsb"],
        "synthetic-wide (12 × 12 heads of 16)": ["mnli"],
    }


def test_backbones_of_one_name_with_other_weights_are_told_apart(studies: dict[str, Study]) -> None:
    first = studies["sst2"]
    other = Study(first.folder, first.document.replace(backbone=first.document.backbone.replace(sha256="f" * 64)))
    groups = backbone_groups({"one": first, "two": other})
    assert list(groups.values()) == [["one"], ["two"]]
    assert all("weights" in name for name in groups)


def test_only_criteria_that_all_have_are_offered(shown: list[HeadStudy]) -> None:
    assert criteria(shown) == ["alpha", "head_gradient"]


def test_maps_open_with_what_is_truest_for_most(shown: list[HeadStudy]) -> None:
    assert opening_criterion(shown) == "alpha"  # nothing was measured
    votes = ("head_gradient", "alpha", "head_gradient", "fisher")  # which not all of them have
    assert opening_criterion([replace(s, truest=v) for s, v in zip(shown, votes, strict=True)]) == "head_gradient"
    assert opening_criterion([replace(shown[0], truest="alpha"), *shown[1:]]) == "alpha"


def test_one_row_per_head_with_rank_and_fate(shown: list[HeadStudy], heads: pd.DataFrame) -> None:
    assert len(heads) == len(shown) * 72
    for study in shown:
        rows = heads[heads["study"] == study.key]
        kept = study.masks.heads(study.factors.shape) > 0
        np.testing.assert_array_equal(rows["kept"], kept.ravel())
        assert (rows["fate"] == np.where(rows["kept"], "kept", "cut")).all()
        assert rows.loc[rows["importance"].idxmax(), "rank"] == 1
        assert rows["rank"].between(1, 72).all()
        assert (rows["relative"] >= 0).sum() == kept.sum()
    assert (heads["layer"].min(), heads["layer"].max(), heads["head"].max()) == (1, 6, 12)


def test_the_scale_chooses_what_colours_show(shown: list[HeadStudy]) -> None:
    by_value = head_frame(shown, "alpha", "value")
    assert (by_value["shade"] == by_value["relative"]).all()
    by_rank = head_frame(shown, "alpha", "rank")
    assert ((by_rank["shade"] > 0) == (by_rank["relative"] >= 0)).all()
    assert by_rank["shade"].between(-1, 1).all()


def test_gradient_of_heads_is_taken_as_it_is(shown: list[HeadStudy]) -> None:
    values = head_frame(shown[:1], "head_gradient")["importance"]
    (stored,) = shown[0].factors.by_criterion["head_gradient"].values()
    np.testing.assert_array_equal(values, stored.ravel())


def test_difference_is_antisymmetric_and_marks_who_keeps(heads: pd.DataFrame) -> None:
    ab = difference_frame(heads, "sst2", "cola")
    ba = difference_frame(heads, "cola", "sst2")
    np.testing.assert_allclose(ab["difference"], -ba["difference"])
    swapped = ba["mark"].replace({"A": "B", "B": "A"})
    assert (ab["mark"] == swapped).all()
    assert ((ab["mark"] == "A") == ((ab["first_fate"] == "kept") & (ab["second_fate"] == "cut"))).all()
    assert (difference_frame(heads, "sst2", "sst2")["difference"] == 0).all()


def test_similarity_is_one_with_oneself_and_symmetric(heads: pd.DataFrame) -> None:
    pairs = similarity_frame(heads)
    for _, part in pairs.groupby("measure"):
        matrix = part.pivot(index="first", columns="second", values="value").to_numpy()
        np.testing.assert_allclose(np.diag(matrix), 1)
        np.testing.assert_allclose(matrix, matrix.T)
        assert (matrix <= 1).all()
        assert (matrix >= -1).all()
        assert sorted(part["order_first"].unique()) == [0, 1, 2, 3]


def test_spearman_agrees_with_scipy(heads: pd.DataFrame) -> None:
    from scipy.stats import spearmanr

    by_study = heads.pivot(index=["layer", "head"], columns="study", values="importance")
    pairs = similarity_frame(heads)
    found = pairs[(pairs["measure"] == "spearman") & (pairs["first"] == "sst2") & (pairs["second"] == "cola")]
    assert found["value"].item() == pytest.approx(spearmanr(by_study["sst2"], by_study["cola"]).statistic)


def test_jaccard_counts_surviving_heads(heads: pd.DataFrame) -> None:
    kept = heads.pivot(index=["layer", "head"], columns="study", values="kept").astype(bool)
    expected = (kept["sst2"] & kept["mrpc"]).sum() / (kept["sst2"] | kept["mrpc"]).sum()
    pairs = similarity_frame(heads)
    found = pairs[(pairs["measure"] == "jaccard") & (pairs["first"] == "sst2") & (pairs["second"] == "mrpc")]
    assert found["value"].item() == pytest.approx(expected)


def test_nothing_kept_and_constant_importance_are_no_division_by_zero(heads: pd.DataFrame) -> None:
    dull = heads.assign(importance=1.0, kept=False)
    pairs = similarity_frame(dull)
    assert (pairs.loc[pairs["measure"] == "jaccard", "value"] == 1).all()
    spearman = pairs[pairs["measure"] == "spearman"]
    assert (spearman.loc[spearman["first"] != spearman["second"], "value"] == 0).all()


def test_alike_rows_become_neighbours() -> None:
    similarity = np.array([[1, 0.1, 0.9, 0.0], [0.1, 1, 0.2, 0.8], [0.9, 0.2, 1, 0.1], [0.0, 0.8, 0.1, 1]])
    order = clustered_order(similarity)
    assert sorted(order) == [0, 1, 2, 3]
    assert abs(order.index(0) - order.index(2)) == 1
    assert abs(order.index(1) - order.index(3)) == 1
    assert order[1:3] in ([2, 1], [1, 2])  # the closest ends of the two groups meet
    assert clustered_order(np.ones((1, 1))) == [0]
