"""Sentences that two sets of examples share: what must not happen between training and evaluation, found and removed.

Sentences are compared by their words alone, in lower case and without punctuation, so that a headline with another dash
is still the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from pruning.data.examples import Examples
from pruning.errors import DataError

_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """A sentence's words in lower case, with single spaces; "" where it has none."""
    return " ".join(_WORD.findall(text.casefold()))


def sentences(*examples: Examples) -> frozenset[str]:
    """All normalised sentences, first and second texts alike."""
    return frozenset(sentence for some in examples for column in _columns(some) for sentence in column) - {""}


def _columns(examples: Examples) -> Iterator[list[str]]:
    for column in (examples.texts, examples.pairs or ()):
        yield [normalised(text) for text in column]


def without_sentences(examples: Examples, unwanted: Iterable[str]) -> tuple[Examples, int]:
    """The examples of which neither text is unwanted, and how many went.

    Args:
        examples: to filter.
        unwanted: normalised sentences.

    Raises:
        DataError: if nothing is left.
    """
    unwanted = frozenset(unwanted)
    shared = np.zeros(len(examples), dtype=bool)
    for column in _columns(examples):
        shared[: len(column)] |= np.fromiter((text in unwanted for text in column), dtype=bool, count=len(column))
    gone = int(shared.sum())
    if not gone:
        return examples, 0
    if gone == len(examples):
        raise DataError(f"{examples.origin}: every row shares a sentence with evaluation data, expected others")
    return examples.take(np.flatnonzero(~shared), f"{examples.origin}, {gone} rows left out"), gone


def development_split(examples: Examples, seed: int, share: float = 0.15) -> tuple[Examples, Examples]:
    """Split examples into (training, development) so that no sentence is on both sides.

    Rows that share a sentence, directly or over other rows, stay together; such groups are drawn by seed until the
    share is reached.

    Args:
        examples: of a training split.
        seed: of the draw.
        share: of the rows to set aside, between 0 and 1.

    Raises:
        DataError: if there are too few rows, or all of them hang together.
    """
    group = _groups(examples)
    members = np.bincount(group)
    count = max(1, round(len(examples) * share))
    order = np.random.default_rng(seed).permutation(len(members))
    order = order[members[order] > 0]
    chosen = np.zeros(len(members), dtype=bool)
    taken = 0
    for number in order:
        if taken + members[number] <= count:
            chosen[number] = True
            taken += int(members[number])
    apart = chosen[group]
    if not 0 < share < 1 or not 0 < taken < len(examples):
        raise DataError(f"{examples.origin}: {len(examples)} rows, expected enough to set a share of {share:g} aside")
    what = f"{taken} of {len(examples)} rows set aside for development by seed {seed}"
    return (
        examples.take(np.flatnonzero(~apart), f"{examples.origin}, all but {what}"),
        examples.take(np.flatnonzero(apart), f"{examples.origin}, {what}"),
    )


def _groups(examples: Examples) -> np.ndarray:
    """(examples,) int64, the same number for rows that hang together by shared sentences."""
    parent = list(range(len(examples)))
    first_with: dict[str, int] = {}
    find = _finder(parent)
    for column in _columns(examples):
        for row, sentence in enumerate(column):
            other = first_with.setdefault(sentence, row)
            parent[find(row)] = find(other)
    return np.array([find(row) for row in range(len(examples))], dtype=np.int64)


def _finder(parent: list[int]) -> Callable[[int], int]:
    """The representative of a row's group, halving the path to it (Tarjan's disjoint sets)."""

    def find(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    return find
