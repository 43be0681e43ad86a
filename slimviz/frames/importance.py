"""Importance as colours show it: seen from the cut-off, by place or by value (pure)."""

from __future__ import annotations

import numpy as np

SCALES = ("rank", "value")  # what colours of importance show: place among the others, or decades above the cut-off


def cut_off(values: np.ndarray, kept: np.ndarray) -> float:
    """The importance that as many units reach as survive: where a ranking by these values alone would cut.

    Halfway, on a logarithmic scale, between the last unit in and the first one out; the least value where all survive,
    above the greatest where none does.
    """
    ranked = np.sort(np.abs(values).ravel().astype(np.float64))[::-1]
    count = int(kept.sum())
    if not len(ranked):
        return 1.0
    if count == 0:
        return float(max(2 * ranked[0], 1e-12))
    if count == len(ranked):
        return float(max(ranked[-1], 1e-12))
    return float(np.sqrt(max(ranked[count - 1], 1e-12) * max(ranked[count], 1e-12)))


def relative_importance(values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Decades above (positive) or below (negative) the `cut_off`."""
    floor = np.maximum(np.abs(values).astype(np.float64), 1e-12)
    return np.log10(floor) - np.log10(cut_off(values, kept))


def shade_of(relative: np.ndarray, scale: str) -> np.ndarray:
    """What colours show.

    Args:
        relative: decades above the cut-off; negative below it.
        scale: "value" takes them as they are; "rank" takes the place among the values on the same side of the
            cut-off, 1 for the greatest of all, -1 for the least, and 0 for none.
    """
    if scale == "value":
        return relative
    order = np.argsort(-relative, axis=None, kind="stable")
    place = np.empty(relative.size)
    place[order] = np.arange(relative.size)
    above = int((relative >= 0).sum())
    inside = (above - place) / max(above, 1)
    outside = (above - 1 - place) / max(relative.size - above, 1)
    return np.where(place < above, inside, outside)
