"""What heads look at as rows: one head over one text, and its habits over many (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from slimviz.frames.tidy import frame_of, row_key
from slimviz.theme import percent_text, plain

if TYPE_CHECKING:
    import pandas as pd

# Where attention goes; each piece counts once, under the first that it is.
KINDS = ("cls", "sep", "itself", "before", "after", "punctuation", "other")
KIND_TITLES = {
    "cls": "[CLS]",
    "sep": "[SEP]",
    "itself": "itself",
    "before": "the piece before",
    "after": "the piece after",
    "punctuation": "punctuation",
    "other": "all others",
}


@dataclass(frozen=True, eq=False)
class Habits:
    """What every head of a network does on some texts; heads are numbered as in the teacher, NaN where one is gone.

    Every number is a mean over all pieces that look, the marks around texts ([CLS], [SEP]) left out.

    Attributes:
        shares: (layers, heads, kinds) of attention to each of `KINDS`; they sum to 1.
        entropy: (layers, heads) bits.
        even: (kinds,) shares of a head that looks at all pieces alike.
        most_entropy: bits of such a head, the most there can be.
        texts: how many.
    """

    shares: np.ndarray
    entropy: np.ndarray
    even: np.ndarray
    most_entropy: float
    texts: int


def look_frame(pieces: Sequence[str], shares: np.ndarray) -> pd.DataFrame:
    """One row a pair of pieces.

    Args:
        pieces: in order.
        shares: (looking, looked at).

    Returns:
        Columns looking and looked_at (keys of `row_key`), from, to (the pieces), share, label, told.
    """
    return frame_of(
        {
            "looking": row_key(i, own),
            "looked_at": row_key(j, other),
            "from": own,
            "to": other,
            "share": float(shares[i, j]),
            "label": percent_text(float(shares[i, j]), 0),
            "told": f"{own} to {other}: {percent_text(float(shares[i, j]), 0)}",
        }
        for i, own in enumerate(pieces)
        for j, other in enumerate(pieces)
    )


def habit_rows(habits: Mapping[str, Habits], head: tuple[int, int]) -> list[dict[str, Any]]:
    """One row a place that attention goes to, as printed in Markdown; networks across, and a head that looks evenly.

    Args:
        habits: by the network's title.
        head: layer and head from 0.
    """
    rows = []
    for number, kind in enumerate(KINDS):
        row = {"Attention to": plain(KIND_TITLES[kind])}
        for title, one in habits.items():
            row[title] = percent_text(float(one.shares[*head, number]), 0)
        even = next(iter(habits.values())).even[number]
        rows.append(row | {"If it looked evenly": percent_text(float(even), 0)})
    return rows
