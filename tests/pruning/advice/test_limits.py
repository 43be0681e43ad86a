"""What keeps a network from fitting."""

from __future__ import annotations

from typing import Any

import pytest

from pruning.advice.limits import Limits, shortfalls
from pruning.errors import ConfigError
from tests.factories.options import made_option

NO_TIMES: dict[str, Any] = {"ms": None, "size_bytes": None, "memory_bytes": None, "lost": None}


def test_what_is_within_all_limits_fits() -> None:
    assert shortfalls(made_option(), Limits()) == ()
    exact = Limits(ms=3.0, mb=5.0, memory_mb=100.0, points=1.0)  # as much as is asked is no more than that
    assert shortfalls(made_option(), exact) == ()


@pytest.mark.parametrize(
    ("limits", "kind", "text", "excess"),
    [
        (Limits(ms=2), "ms", "3 ms, at most 2 asked", 1.5),
        (Limits(mb=4), "mb", "5 MB, at most 4 asked", 1.25),
        (Limits(memory_mb=80), "memory", "100 MB of memory, at most 80 asked", 1.25),
        (Limits(points=0.5), "points", "loses 1.0 points, at most 0.5 asked", 2.0),
        (Limits(points=0), "points", "loses 1.0 points, at most 0 asked", None),
        (Limits(ms=9, batch=8), "ms", "ms not measured (batch 8, 32 tokens)", None),
        (Limits(ms=9, length=16), "ms", "ms not measured (batch 1, 16 tokens)", None),
    ],
)
def test_each_limit_has_its_reason(limits: Limits, kind: str, text: str, excess: float | None) -> None:
    (found,) = shortfalls(made_option(), limits)
    assert (found.kind, found.text) == (kind, text)
    assert found.excess == pytest.approx(excess) if excess else found.excess is None
    assert found.is_cost == (kind != "points")


def test_what_was_not_measured_is_not_promised() -> None:
    option = made_option(**NO_TIMES)
    assert shortfalls(option, Limits()) == ()
    found = shortfalls(option, Limits(ms=5, mb=5, memory_mb=100, points=5))
    assert [one.kind for one in found] == ["points", "ms", "mb", "memory"]
    assert all("not measured" in one.text and one.excess is None for one in found)


def test_no_better_than_knowing_nothing_fits_nowhere_and_is_told_first() -> None:
    reasons = shortfalls(made_option(score=0.5), Limits(ms=1))
    assert [reason.kind for reason in reasons] == ["floor", "ms"]
    assert reasons[0].text == "scores 0.500, knowing nothing 0.500"


def test_a_teacher_loses_nothing_against_itself() -> None:
    assert shortfalls(made_option("teacher", 0.9), Limits(points=0)) == ()
    (found,) = shortfalls(made_option("teacher", 0.88, runtime="onnx-int8"), Limits(points=1))
    assert found.text == "loses 2.0 points, at most 1 asked"


@pytest.mark.parametrize("wrong", [{"ms": 0.0}, {"ms": float("nan")}, {"mb": -1.0}, {"batch": 0}, {"points": -0.1}])
def test_limits_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"^limit {next(iter(wrong))} .*expected "):
        Limits(**wrong)
