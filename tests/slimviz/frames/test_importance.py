from __future__ import annotations

import numpy as np
import pytest

from slimviz.frames import importance


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_as_many_units_are_above_the_cut_off_as_survive(count: int) -> None:
    values = np.array([0.5, 0.001, 2.0, 0.2, 0.0])
    kept = np.zeros(5, dtype=bool)
    kept[np.argsort(-values)[:count]] = True
    relative = importance.relative_importance(values, kept)
    np.testing.assert_array_equal(relative >= 0, kept)
    assert np.isfinite(relative).all()


@pytest.mark.parametrize("count", [0, 1, 3, 6])
def test_rank_shades_agree_with_fate_and_order(count: int) -> None:
    relative = np.array([0.4, -0.1, -2.0, 0.01, -0.1, 0.2])
    relative = relative - np.sort(relative)[::-1][count - 1] if count else relative - 1
    shade = importance.shade_of(relative, "rank")
    assert ((shade > 0) == (relative >= 0)).all()
    assert (shade != 0).all()
    assert np.abs(shade).max() == 1
    order = np.argsort(-relative, kind="stable")
    assert (np.diff(shade[order]) < 0).all()


def test_all_zero_importance_is_drawn_without_warnings() -> None:
    for kept in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        assert np.isfinite(importance.relative_importance(np.zeros(4), kept)).all()
