"""Criterion: random numbers, the control. What ranks no better than this says nothing."""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site
from pruning.importance.factors import Importance


def importance(shape: BertShape, seed: int) -> Importance:
    """Uniform in [0, 1), drawn with the seed."""
    generator = np.random.default_rng(seed)
    return {site: generator.random(shape.units(site), dtype=np.float32) for site in Site}
