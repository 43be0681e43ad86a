"""Criterion: diagonal Fisher information of a unit's gate, the mean over examples of its squared gradient.

Kwon et al. 2022, "A fast post-training pruning framework for transformers": to second order, what the loss gains when
units of a converged network go.
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray:
    """Sum over a batch of ``(dL/dgate)^2``: (batch, units) -> (units,)."""
    del site, shape  # every unit of every site
    return np.square(gradient).sum(0)
