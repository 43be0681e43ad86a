"""Task DNA: by how many tasks each head is kept, and by which (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slimviz.frames.tidy import frame_of, groups, records
from slimviz.theme import CUT_MARK, listing

if TYPE_CHECKING:
    import pandas as pd

ALL, ONE, EVERY, NO = "all", "one", "every", "no"
SHOWN = {ALL: "All heads", EVERY: "Kept by every task", ONE: "Kept by one task alone", NO: "Kept by none"}


def dna_frame(heads: pd.DataFrame, shown: str = ALL) -> pd.DataFrame:
    """One row a head.

    Args:
        heads: of several studies, see `head_frame`.
        shown: one of `SHOWN`: the heads that keep their colour and number.

    Returns:
        Columns layer and head (from 1), keepers (how many tasks keep it), tasks (how many there are), titles (theirs
        who keep it, as a list in words), kept_by (the same as "2 of 7"), is_shown, share (of the tasks; 0 where the
        head isn't shown), mark (the number of keepers, or `CUT_MARK`; empty where it isn't shown).
    """
    titles = [part["title"].iloc[0] for _, part in groups(heads, "study")]
    keepers: dict[tuple[int, int], list[str]] = {}
    for row in records(heads):
        keepers.setdefault((row["layer"], row["head"]), []).extend([row["title"]] if row["kept"] else [])
    rows = []
    for (layer, head), kept in sorted(keepers.items()):
        is_shown = _is_shown(len(kept), len(titles), shown)
        rows.append(
            {
                "layer": layer,
                "head": head,
                "keepers": len(kept),
                "tasks": len(titles),
                "titles": listing(kept) if kept else "no task",
                "kept_by": f"{len(kept)} of {len(titles)}",
                "is_shown": is_shown,
                "share": len(kept) / len(titles) if is_shown else 0.0,
                "mark": (str(len(kept)) if kept else CUT_MARK) if is_shown else "",
            }
        )
    return frame_of(rows)


def _is_shown(keepers: int, tasks: int, shown: str) -> bool:
    return {ALL: True, ONE: keepers == 1, EVERY: keepers == tasks, NO: keepers == 0}[shown]
