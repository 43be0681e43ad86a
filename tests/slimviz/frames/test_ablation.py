from __future__ import annotations

import msgspec
import pytest

from pruning.measure.ablation import Ablation, Curves
from slimviz.frames.ablation import LEAST, MOST, OTHERS, area_frame, band_frame, curve_frame
from slimviz.frames.tidy import records

GATED = (0, 2, 4)


@pytest.fixture
def ablation() -> Ablation:
    order, reverse = (0.9, 0.8, 0.5), (0.9, 0.6, 0.5)
    curves = {
        "taylor": Curves(least_first=order, most_first=reverse),
        "taylor_by_head": Curves(least_first=order, most_first=reverse),
        "fisher": Curves(least_first=reverse, most_first=order),
        "fisher_by_head": Curves(least_first=reverse, most_first=order),
    }
    return Ablation(
        network="teacher", split="validation", rows=10, sha256="0" * 64, seed=0, precision="float32",
        metric="accuracy", floor=0.5, gated=GATED, curves=curves, random=((0.9, 0.7, 0.5), (0.9, 0.65, 0.5)),
    )  # fmt: skip


def test_the_shown_criterion_has_both_curves_and_others_the_one_that_should_stay_high(ablation: Ablation) -> None:
    rows = records(curve_frame(ablation, "taylor"))
    lines = {line: [row["score"] for row in rows if row["line"] == line] for line in (LEAST, MOST, OTHERS)}
    assert lines == {LEAST: [0.9, 0.8, 0.5], MOST: [0.9, 0.6, 0.5], OTHERS: [0.9, 0.6, 0.5]}
    assert [row["gated"] for row in rows if row["line"] == LEAST] == list(GATED)
    assert {row["criterion"] for row in rows if row["line"] == OTHERS} == {
        "Fisher information and Fisher, dealt by head"  # one curve: it is drawn once
    }


def test_the_band_holds_every_random_order(ablation: Ablation) -> None:
    assert records(band_frame(ablation)) == [
        {"gated": 0, "low": 0.9, "high": 0.9},
        {"gated": 2, "low": 0.65, "high": 0.7},
        {"gated": 4, "low": 0.5, "high": 0.5},
    ]
    assert band_frame(msgspec.structs.replace(ablation, random=())).empty


def test_areas_come_largest_first(ablation: Ablation) -> None:
    rows = records(area_frame(ablation))
    assert [row["criterion"] for row in rows][:2] == ["Taylor (|gradient|)", "Taylor, dealt by head gradient"]
    assert [row["area"] for row in rows] == pytest.approx([0.2 / 3, 0.2 / 3, -0.2 / 3, -0.2 / 3])
    assert rows[0]["kept_at_half"] == pytest.approx(0.75)
