"""Tidy frames as plain Python: rows, filters and groups, with types that a checker can follow.

pandas is imported where a frame is made, not here: it takes half a second, and Overview's first numbers need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd


def frame_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame with one row per dict."""
    import pandas as pd

    return pd.DataFrame(list(rows))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts; what is missing is None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return cast("list[dict[str, Any]]", plain.to_dict("records"))


def only(frame: pd.DataFrame, column: str, wanted: Iterable[Any]) -> pd.DataFrame:
    """Rows whose value in a column is one of those wanted."""
    return cast("pd.DataFrame", frame[frame[column].isin(list(wanted))])


def groups(frame: pd.DataFrame, column: str) -> list[tuple[str, pd.DataFrame]]:
    """A frame's parts by a column of words, in order of appearance."""
    return [(str(name), part) for name, part in frame.groupby(column, sort=False)]


def known(values: Iterable[float | None]) -> list[float]:
    """Numbers, without those that are missing."""
    return [value for value in values if value is not None]


def count_of(frame: pd.DataFrame, column: str) -> int:
    """Sum of a column of counts (or of truths)."""
    return int(sum(frame[column].tolist()))


def row_key(place: int, text: str, mark: str = " ") -> str:
    """A key that no other row of a chart has and that sorts by place: four digits, a mark of one sign, the text."""
    return f"{place:04d}{mark}{text}"
