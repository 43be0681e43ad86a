"""Criterion: first-order change of the loss when a unit goes (Molchanov et al. 2017), averaged over examples."""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray:
    """Sum over a batch of ``|dL/dgate|``: (batch, units) -> (units,)."""
    del site, shape  # every unit of every site
    return np.abs(gradient).sum(0)
