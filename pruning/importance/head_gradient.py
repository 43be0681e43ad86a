"""Criterion for heads: the loss's gradient by a gate that all units of a head share.

Michel et al. 2019, "Are sixteen heads really better than one?"
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray | None:
    """Sum over a batch of ``|dL/dgate|`` by head: (batch, heads * head_size) -> (heads,); nothing at other sites."""
    if site is not Site.ATTENTION_CONTEXT:
        return None
    return np.abs(gradient.reshape(len(gradient), shape.heads, shape.head_size).sum(-1)).sum(0)
