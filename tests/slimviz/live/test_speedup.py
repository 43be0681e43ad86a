from __future__ import annotations

import numpy as np
import pytest

from slimviz.live.speedup import speedup_interval


def test_the_interval_holds_the_ratio_and_shrinks_with_rounds() -> None:
    noise = np.random.default_rng(1).lognormal(0, 0.2, (2, 400))
    teacher, slim = 8.0 * noise[0], 1.0 * noise[1]
    few, many = (speedup_interval(teacher[:rounds], slim[:rounds]) for rounds in (10, 400))
    assert few[0] < 8 < few[1]
    assert many[0] < 8 < many[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert speedup_interval(teacher, slim) == speedup_interval(teacher, slim)


def test_a_busy_moment_strikes_both() -> None:
    """Rounds are drawn as pairs: where each round slows both alike, the ratio is sure."""
    slow = np.array([1.0, 5.0, 1.2, 9.0, 1.1])
    assert speedup_interval(slow * 4, slow) == pytest.approx((4.0, 4.0))
