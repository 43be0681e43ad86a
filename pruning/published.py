"""Figures that others published for networks made small, each with its source and what it counts (no torch).

They are of BERT-base and of their authors' own training, so a score stands beside the dense network's that it was
compared with: what can be held against other results is the share of it that was kept. None is this project's.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pruning.errors import StoreError, one_line
from pruning.records import Density, Rate, Record, Share, Text
from pruning.shipped import shipped

PUBLISHED = shipped("rivals") / "published.csv"
Counts = Literal["stored", "nonzero", "bytes", "claimed"]
COUNTS_IN_WORDS: dict[Counts, str] = {
    "stored": "stored parameters",
    "nonzero": "parameters that are not zero",
    "bytes": "bytes",
    "claimed": "products of surviving neurons; nothing was removed",
}
Filled = Annotated[str, Meta(min_length=1, max_length=300)]


class Published(Record, frozen=True, kw_only=True):
    """One network on one dataset, as published.

    Attributes:
        group: kind of method.
        method: its name, or who published it.
        dataset: a task of GLUE, or "squad".
        metric: of `score` and `dense`; None where the source does not name it.
        split: that was scored; "unstated" where the source does not say.
        score: the network's.
        dense: the dense BERT-base's that it was compared with; None where the source has none.
        total: its size as a share of BERT-base's; None where the source leaves the embeddings out.
        encoder: the same of the layers alone.
        counts: what both sizes count; see `COUNTS_IN_WORDS`.
        speed: how many times as fast, on what, in words.
        source: where all of this stands.
        note: what else a reader must know.
    """

    group: Filled
    method: Filled
    dataset: Filled
    metric: Literal["accuracy", "f1", "mcc"] | None = None
    split: Literal["validation", "validation_matched", "validation_mismatched", "test", "unstated"]
    score: Share
    dense: Rate | None = None
    total: Density | None = None
    encoder: Density | None = None
    counts: Counts
    speed: Text = ""
    source: Filled
    note: Text = ""

    @property
    def retention(self) -> float | None:
        """Score over the dense network's; None where that is unknown."""
        return None if self.dense is None else self.score / self.dense


def read_published(path: Path = PUBLISHED) -> tuple[Published, ...]:
    """All published figures, in the order of the file.

    Raises:
        StoreError: the file cannot be read, or a row is not as it should be: one line with its number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(file)
            return tuple(_row(path, number, cells) for number, cells in enumerate(lines, start=2))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or 'cannot be read'}, expected published figures") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise StoreError(f"{path}: is not CSV: {error}") from None


def _row(path: Path, number: int, cells: dict[str, str]) -> Published:
    filled = {name: cell for name, cell in cells.items() if cell}
    try:
        row = msgspec.convert(filled, Published, strict=False)
    except msgspec.ValidationError as error:
        raise StoreError(f"{path} line {number}: {one_line(error).replace('`', '')}") from None
    if row.total is None and row.encoder is None:
        raise StoreError(f"{path} line {number}: no size, expected total, encoder or both")
    return row
