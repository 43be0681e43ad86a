"""Criterion: Taylor within a head, head gradient between heads; plain Taylor elsewhere.

A head goes as a whole, and its units' gradients partly cancel; a sum of their magnitudes misses that, one gate a head
does not (Michel et al. 2019). So the site's Taylor importance is dealt out anew: to heads by their head gradient, and
inside a head by its units' Taylor importance. The site's sum stays, because FFN units, which heads compete with, are
counted without cancelling as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from pruning.importance.factors import Importance
from pruning.importance.shares import dealt_by_head


def importance(found: Mapping[str, Importance]) -> Importance:
    """From "taylor" and "head_gradient"."""
    return dealt_by_head(found["taylor"], found["head_gradient"])
