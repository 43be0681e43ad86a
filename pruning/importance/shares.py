"""A site's importance dealt out to heads by one criterion and inside each head by another (NumPy only)."""

from __future__ import annotations

import numpy as np

from pruning.bert.shapes import Site
from pruning.importance.factors import Importance


def dealt_by_head(units: Importance, heads: Importance) -> Importance:
    """What `units` finds, but at `attention_context` each head's share of the sum over all layers is that of `heads`.

    Args:
        units: (layers, heads * head_size) at `attention_context`; the other sites stay as they are.
        heads: (layers, heads) at `attention_context`.
    """
    between = heads[Site.ATTENTION_CONTEXT].astype(np.float64)
    inside = units[Site.ATTENTION_CONTEXT].astype(np.float64).reshape(*between.shape, -1)
    own = inside.sum(-1, keepdims=True)
    # A head whose units count for nothing shares evenly.
    share = np.where(own > 0, inside / np.where(own > 0, own, 1), 1 / inside.shape[-1])
    dealt = share * (between * inside.sum() / max(between.sum(), np.finfo(np.float64).tiny))[..., None]
    return units | {Site.ATTENTION_CONTEXT: dealt.reshape(len(between), -1).astype(np.float32)}
