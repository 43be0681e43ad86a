"""Criteria: first-order change of the loss, or of the answer, when a unit goes, averaged over examples.

Molchanov et al. 2017, "Pruning convolutional neural networks for resource efficient inference".
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray:
    """Sum over a batch of ``|d./dgate|``: (batch, units) -> (units,)."""
    del site, shape  # every unit of every site
    return np.abs(gradient).sum(0)
