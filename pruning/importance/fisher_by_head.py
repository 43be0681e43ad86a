"""Criterion: Fisher information within a head, that of whole heads between them; the units' own elsewhere.

As `taylor_by_head`, of squared gradients.
"""

from __future__ import annotations

from collections.abc import Mapping

from pruning.importance.factors import Importance
from pruning.importance.shares import dealt_by_head


def importance(found: Mapping[str, Importance]) -> Importance:
    """From "fisher" and "head_fisher"."""
    return dealt_by_head(found["fisher"], found["head_fisher"])
