"""Criteria for heads: the gradient of the loss, or of the answer, by a gate that all units of a head share.

Michel et al. 2019, "Are sixteen heads really better than one?"
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray | None:
    """Sum over a batch of ``|d./dgate|`` by head: (batch, heads * head_size) -> (heads,); nothing at other sites."""
    return np.abs(shared_gate(gradient, shape)).sum(0) if site is Site.ATTENTION_CONTEXT else None


def shared_gate(gradient: np.ndarray, shape: BertShape) -> np.ndarray:
    """Gradients by units' gates -> by gates that each head's units share, (batch, heads)."""
    return gradient.reshape(len(gradient), shape.heads, shape.head_size).sum(-1)
