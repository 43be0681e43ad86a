"""How sure a measured speed-up is: a bootstrap over the rounds in which both networks were timed, in turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 1000
TAILS = (2.5, 97.5)  # percent


def speedup_interval(teacher: Sequence[float], slim: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """95% interval of the ratio of medians.

    Args:
        teacher: seconds a round.
        slim: the same rounds' seconds; a busy moment strikes both, so rounds are drawn as pairs.
        seed: of the draws.
    """
    both = np.array([teacher, slim])
    drawn = np.random.default_rng(seed).integers(both.shape[1], size=(RESAMPLES, both.shape[1]))
    medians = np.median(both[:, drawn], axis=-1)
    low, high = np.percentile(medians[0] / medians[1], TAILS)
    return float(low), float(high)
