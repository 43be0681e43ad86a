"""Stored ablations -> tidy frames: what a network scores with ever more heads off, by criterion (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.measure.ablation import Ablation
from slimviz.frames.tidy import frame_of
from slimviz.theme import criterion_title, listing

if TYPE_CHECKING:
    import pandas as pd

LEAST, MOST, OTHERS, RANDOM = (
    "least important off first", "most important off first", "other criteria, least first", "random orders",
)  # fmt: skip


def curve_frame(ablation: Ablation, criterion: str) -> pd.DataFrame:
    """One row a curve and count of heads.

    Args:
        ablation: of one network and split.
        criterion: whose two curves are drawn in full; of the others, the curve that should stay high.

    Returns:
        Columns line (`LEAST`, `MOST` or `OTHERS`), criterion (as printed; criteria of one and the same curve share a
        row), gated (heads off), score (in the task's main metric).
    """
    own = ablation.curves[criterion]
    curves = {(LEAST, own.least_first): [criterion], (MOST, own.most_first): [criterion]}
    for name, both in ablation.curves.items():
        if both.least_first != own.least_first:
            curves.setdefault((OTHERS, both.least_first), []).append(name)
    return frame_of(
        {"line": line, "criterion": listing([criterion_title(name) for name in names]), "gated": gated, "score": score}
        for (line, points), names in curves.items()
        for gated, score in zip(ablation.gated, points, strict=True)
    )


def band_frame(ablation: Ablation) -> pd.DataFrame:
    """The lowest and the highest score of random orders at each count: columns gated, low, high; empty without any."""
    return frame_of(
        {"gated": gated, "low": min(scores), "high": max(scores)}
        for gated, *scores in zip(ablation.gated, *ablation.random, strict=True)
        if scores
    )


def area_frame(ablation: Ablation) -> pd.DataFrame:
    """One row a criterion, largest area first: columns criterion (as printed), area, kept_at_half (or None)."""
    return frame_of(
        {"criterion": criterion_title(name), "area": area, "kept_at_half": ablation.kept_at_half(name)}
        for name, area in ablation.areas.items()
    )
