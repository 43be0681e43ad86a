"""What each word does to the answer of each network, as rows: integrated gradients, and the word left out (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.measure.metrics import correlations
from slimviz.frames.tidy import frame_of, row_key
from slimviz.theme import UNKNOWN, change_text, is_known

if TYPE_CHECKING:
    import pandas as pd

FEWEST_RANKED = 4  # words below which an order says nothing
TITLE = "#"  # the mark in the key of a row that is the title of a text


@dataclass(frozen=True, eq=False)
class Reading:
    """What the words of a text do to the answer of one network.

    Attributes:
        pieces: each word's pieces as the network spells it; none where it reads no further than before the word.
        integrated: (words,) integrated gradients; NaN where the word is not read.
        left_out: (words,) by how much the answer falls without the word; NaN where it is not read.
        value: the answer: log-odds of the label that is explained, or the score.
        baseline: the same of the text with every word blotted out.
    """

    pieces: tuple[tuple[str, ...], ...]
    integrated: np.ndarray
    left_out: np.ndarray
    value: float
    baseline: float

    @property
    def difference(self) -> float:
        """What the words have to explain together."""
        return self.value - self.baseline

    @property
    def error(self) -> float:
        """By how much the integrated gradients of all words miss the difference: their sum minus it."""
        return float(np.nansum(self.integrated)) - self.difference

    @property
    def agreement(self) -> float | None:
        """Rank correlation of the two ways to weigh words; None for too few words."""
        return rank_correlation(self.integrated, self.left_out)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Spearman over the words that both have; None where there are fewer than `FEWEST_RANKED`."""
    both = ~np.isnan(first) & ~np.isnan(second)
    if both.sum() < FEWEST_RANKED:
        return None
    return float(correlations("spearman", first[both][None], second[both][None])[0])


def respelled(teacher: Reading, slim: Reading) -> list[int]:
    """Numbers of the words that the slim network's vocabulary spells in other pieces."""
    pairs = enumerate(zip(teacher.pieces, slim.pieces, strict=True))
    return [number for number, (own, cut) in pairs if own and cut and own != cut]


def attribution_frame(
    words: Sequence[tuple[int, str]], readings: Mapping[str, Reading], titles: Sequence[str]
) -> pd.DataFrame:
    """One row a network and word, and a row for the title of each text of a pair.

    Args:
        words: number of the text that each is of (0 or 1), and the word.
        readings: by "teacher" and "slim", or one of them.
        titles: of the texts.

    Returns:
        Columns network ("teacher", "slim", and "difference" where there are both), row (of `row_key`), label, and for
        words: word, integrated, left_out (both None where the network does not read it), left_out_label (as printed, as
        is label), told (all in a line), pieces, is_respelled.
    """
    columns: dict[str, tuple[np.ndarray, np.ndarray]] = {
        name: (reading.integrated, reading.left_out) for name, reading in readings.items()
    }
    pieces = {name: [" ".join(found) for found in reading.pieces] for name, reading in readings.items()}
    others: set[int] = set()
    if {"teacher", "slim"} <= columns.keys():
        teacher, slim = readings["teacher"], readings["slim"]
        columns["difference"] = slim.integrated - teacher.integrated, slim.left_out - teacher.left_out
        others = set(respelled(teacher, slim))
        pieces["difference"] = [
            f"{whole} → {cut}" if number in others else whole
            for number, (whole, cut) in enumerate(zip(pieces["teacher"], pieces["slim"], strict=True))
        ]
    rows: list[dict[str, Any]] = []
    for name, (integrated, left_out) in columns.items():
        for number, (field, word) in enumerate(words):
            if len(titles) > 1 and (number == 0 or words[number - 1][0] != field):
                rows.append({"network": name, "row": row_key(2 * number, titles[field], TITLE), "label": ""})
            values = {"integrated": _known(integrated[number]), "left_out": _known(left_out[number])}
            said = {"label": change_text(values["integrated"]), "left_out_label": change_text(values["left_out"])}
            rows.append(
                {
                    "network": name,
                    "row": row_key(2 * number + 1, word),
                    "word": word,
                    **values,
                    **said,
                    "told": f"{word}: {said['label']}; left out: {said['left_out_label']}",
                    "pieces": pieces[name][number] or UNKNOWN,
                    "is_respelled": number in others,
                }
            )
    return frame_of(rows)


def _known(value: float) -> float | None:
    return float(value) if is_known(value) else None
