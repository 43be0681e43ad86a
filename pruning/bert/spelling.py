"""Where two spellings of the same text meet: teacher and student read it in other pieces where a vocabulary was cut.

Both normalise a text alike and spell all of its characters in order, so a place in the text is the number of characters
before it. Between two neighbouring places where pieces of both end lies a stretch: one piece of each where the spelling
is the same, several of one or both where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pruning.bert.vocabulary import piece_lengths
from pruning.data.batches import Encoded

NOWHERE = -1  # of pieces that lie in no stretch that both have


@dataclass(frozen=True)
class Stretches:
    """Which pieces of two spellings cover the same stretch of a text.

    Attributes:
        student: one int32 array an example: each of the student's pieces' stretch, or `NOWHERE`.
        teacher: the same of the teacher's.
        counts: (examples,) int64, stretches.
    """

    student: list[np.ndarray]
    teacher: list[np.ndarray]
    counts: np.ndarray

    @property
    def is_plain(self) -> bool:
        """Whether both spell everything alike, piece by piece."""
        return all(
            len(own) == len(reference) == count
            for own, reference, count in zip(self.student, self.teacher, self.counts, strict=True)
        )

    def pooling(self, index: np.ndarray, width: int, reference_width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Matrices that average pieces over stretches.

        Args:
            index: numbers of a batch's examples.
            width: tokens that the student's batch is padded to.
            reference_width: tokens that the teacher's is.

        Returns:
            (batch, stretches, width) and (batch, stretches, reference_width) float32, rows summing to 1 or all 0; and
            (batch, stretches) float32, 1 where there is a stretch.
        """
        most = int(self.counts[index].max(initial=1))
        found = [np.zeros((len(index), most, columns), dtype=np.float32) for columns in (width, reference_width)]
        for matrix, spelled in zip(found, (self.student, self.teacher), strict=True):
            for row, example in enumerate(index):
                stretch = spelled[example]
                pieces = np.flatnonzero(stretch != NOWHERE)
                shares = 1.0 / np.bincount(stretch[pieces], minlength=most)[stretch[pieces]]
                matrix[row, stretch[pieces], pieces] = shares
        return found[0], found[1], (np.arange(most) < self.counts[index][:, None]).astype(np.float32)


def stretches(student: tuple[Any, Encoded], teacher: tuple[Any, Encoded]) -> Stretches:
    """Compare two spellings of the same examples.

    Args:
        student: tokenizer, and the examples as it reads them.
        teacher: the same; its vocabulary holds the student's.
    """
    own_lengths, reference_lengths = (piece_lengths(tokenizer) for tokenizer, _ in (student, teacher))
    own_firsts, reference_firsts = (_first_texts(tokenizer, encoded) for tokenizer, encoded in (student, teacher))
    found: list[tuple[np.ndarray, np.ndarray, int]] = []
    for own, own_first, reference, reference_first in zip(
        student[1].input_ids, own_firsts, teacher[1].input_ids, reference_firsts, strict=True
    ):
        ends = _ends(own_lengths[own], own_first)
        reference_ends = _ends(reference_lengths[reference], reference_first)
        common = np.intersect1d(ends, reference_ends)
        found.append((_places(ends, common), _places(reference_ends, common), len(common)))
    return Stretches(
        [own for own, _, _ in found], [reference for _, reference, _ in found], np.array([count for *_, count in found])
    )


# Characters before a pair's second text, and before the separator that ends a text: a text may be cut to the longest
# input after more or fewer characters, and what follows it is still the same.
SECOND_TEXT, SEPARATOR = 1_000_000, 500_000


def _first_texts(tokenizer: Any, encoded: Encoded) -> list[int]:
    """How many pieces each example's first text has, marks included.

    That of a pair ends where the second segment begins; where there is one segment alone, with its separator.
    """
    firsts = [int(np.count_nonzero(types == 0)) for types in encoded.token_type_ids]
    separator = getattr(tokenizer, "sep_token_id", None)
    if separator is None or any(types.any() for types in encoded.token_type_ids):
        return firsts
    found = (np.flatnonzero(ids == separator) for ids in encoded.input_ids)
    return [int(places[0]) + 1 if len(places) else first for places, first in zip(found, firsts, strict=True)]


def _ends(lengths: np.ndarray, first: int) -> np.ndarray:
    """Characters before each piece's end, counted from where its text starts; `first` pieces are of the first text."""
    ends = np.cumsum(lengths, dtype=np.int64)
    if 0 < first < len(ends):
        ends[first:] += SECOND_TEXT - ends[first - 1]
        ends[-1] = SECOND_TEXT + SEPARATOR
    if first:
        ends[first - 1] = SEPARATOR
    return ends


def _places(ends: np.ndarray, common: np.ndarray) -> np.ndarray:
    """The stretch that each piece lies in: the first common end that is not before its own."""
    places = np.searchsorted(common, ends)
    places[places == len(common)] = NOWHERE
    is_cut_off = (common[places] % SECOND_TEXT == SEPARATOR) & (ends != common[places])  # the other ended before it
    return np.where(is_cut_off, NOWHERE, places).astype(np.int32)
