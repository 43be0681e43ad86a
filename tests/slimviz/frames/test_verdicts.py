from __future__ import annotations

from dataclasses import replace

import pytest

from pruning.measure.intervals import Interval
from pruning.study import Study
from slimviz.frames.results import Scored, Summary, summarise
from slimviz.frames.verdicts import Verdict, interval_points, verdict


@pytest.fixture
def row(studies: dict[str, Study]) -> Summary:
    return summarise("sst2", studies["sst2"], "10")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.030, 0.01, Verdict.FINE),
        (-0.0304, 0.01, Verdict.FINE),  # printed as 3.0
        (-0.031, 0.01, Verdict.UNSURE),
        (-0.031, -0.001, Verdict.LOST),
        (-0.029, -0.001, Verdict.FINE),  # something is lost, but no more than is fine
        (0.001, 0.02, Verdict.FINE),
        (None, None, Verdict.UNSURE),
    ],
)
def test_what_an_interval_allows_to_be_said(
    row: Summary, low: float | None, high: float | None, expected: Verdict
) -> None:
    found = replace(row, interval=Interval("accuracy", 0.0, low, high, 2000))
    assert verdict(found, 3) is expected
    assert (interval_points(found) is None) == (low is None)


def test_what_cannot_be_judged(row: Summary) -> None:
    assert verdict(replace(row, slim=Scored()), 3) is Verdict.MISSING
    assert verdict(replace(row, is_labelled=False), 3) is Verdict.UNLABELLED
    assert verdict(replace(row, interval=None), 3) is Verdict.UNSURE
    weak = replace(row, teacher=Scored(155 / 277, 155, 277), floor=146 / 277)
    assert verdict(weak, 3) is Verdict.WEAK
    assert not replace(weak, is_labelled=False).has_weak_teacher
