"""Criterion for heads: Fisher information of a gate that all units of a head share, its gradient squared.

Kwon et al. 2022 mask whole heads by it. The units' own information summed would leave out how they act together.
"""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import BertShape, Site
from pruning.importance.head_gradient import shared_gate


def contribution(gradient: np.ndarray, site: Site, shape: BertShape) -> np.ndarray | None:
    """Sum over a batch of ``(dL/dgate)^2`` by head: (batch, heads * head_size) -> (heads,); nothing at other sites."""
    return np.square(shared_gate(gradient, shape)).sum(0) if site is Site.ATTENTION_CONTEXT else None
