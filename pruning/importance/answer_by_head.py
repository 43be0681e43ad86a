"""Criterion: the answer's gradient within a head, that by whole heads between them; the units' own elsewhere.

As `taylor_by_head`, of the teacher's answers instead of its loss.
"""

from __future__ import annotations

from collections.abc import Mapping

from pruning.importance.factors import Importance
from pruning.importance.shares import dealt_by_head


def importance(found: Mapping[str, Importance]) -> Importance:
    """From "answer" and "head_answer"."""
    return dealt_by_head(found["answer"], found["head_answer"])
