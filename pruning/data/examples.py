"""Examples: texts with their labels and a checksum, wherever they came from; taken apart and put together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pruning.errors import DataError, one_line


@dataclass(frozen=True, eq=False)  # equality of arrays is not a truth value; compare checksums
class Examples:
    """Texts with their labels, and where they came from.

    Attributes:
        texts: the first (or only) text of each example.
        pairs: the second texts, or None.
        labels: int64 classes or float32 scores; -1 or NaN throughout where there are none.
        origin: one line for people.
        domains: what each text is about (probe sets only).
        is_labelled: whether `labels` means anything.
        sha256: of texts, pairs and labels, wherever they came from.
    """

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: np.ndarray
    origin: str
    domains: tuple[str, ...] | None = None
    is_labelled: bool = True
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the checksum; texts that are not valid Unicode are refused, as no tokenizer takes them."""
        object.__setattr__(self, "origin", one_line(self.origin))  # it is printed, and may name a file
        digest = hashlib.sha256()
        pairs = self.pairs or (None,) * len(self.texts)
        labels = self.labels.tolist() if self.is_labelled else (None,) * len(self.texts)
        for number, row in enumerate(zip(self.texts, pairs, labels, strict=True), start=1):
            try:
                digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8"))
            except UnicodeEncodeError as error:
                raise DataError(f"{self.origin}: row {number} holds half a character, expected Unicode text") from error
        object.__setattr__(self, "sha256", digest.hexdigest())

    def __len__(self) -> int:
        """Rows."""
        return len(self.texts)

    def take(self, indices: Sequence[int] | np.ndarray, origin: str | None = None) -> Examples:
        """The examples of these numbers, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return Examples(
            texts=tuple(self.texts[index] for index in chosen),
            pairs=None if self.pairs is None else tuple(self.pairs[index] for index in chosen),
            labels=self.labels[chosen],
            origin=origin or f"{self.origin}, {len(chosen)} of {len(self)} rows",
            domains=None if self.domains is None else tuple(self.domains[index] for index in chosen),
            is_labelled=self.is_labelled,
        )


def unlabelled(texts: Sequence[str], pairs: Sequence[str] | None, origin: str) -> Examples:
    """Examples to predict: texts alone."""
    labels = np.full(len(texts), -1, dtype=np.int64)
    return Examples(tuple(texts), None if pairs is None else tuple(pairs), labels, origin, is_labelled=False)


def hold_out(examples: Examples, seed: int, share: float = 0.1) -> tuple[Examples, Examples]:
    """Split examples into (training, held out) by seed; labels keep their proportions."""
    count = max(1, round(len(examples) * share))
    if not 0 < share < 1 or count >= len(examples):
        raise DataError(f"{examples.origin}: {len(examples)} rows, expected enough to hold a share of {share:g} out")
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(examples))
    by_label = shuffled[np.argsort(examples.labels[shuffled], kind="stable")]
    chosen = np.zeros(len(examples), dtype=bool)
    chosen[by_label[((np.arange(count) + 0.5) * len(examples) / count).astype(int)]] = True
    what = f"{count} of {len(examples)} rows held out by seed {seed}"
    return (
        examples.take(np.flatnonzero(~chosen), f"{examples.origin}, all but {what}"),
        examples.take(np.flatnonzero(chosen), f"{examples.origin}, {what}"),
    )


def joined(first: Examples, second: Examples) -> Examples:
    """Labelled examples followed by unlabelled ones; these get the label -1, or NaN in a regression."""
    is_score = np.issubdtype(first.labels.dtype, np.floating)
    missing = np.full(len(second), np.nan if is_score else -1, dtype=first.labels.dtype)
    return Examples(
        texts=first.texts + second.texts,
        pairs=None if first.pairs is None else first.pairs + (second.pairs or ()),
        labels=np.concatenate([first.labels, missing]),
        origin=f"{first.origin}, and {second.origin}",
    )


def renumbered(examples: Examples, labels: Sequence[str] | None, wanted: Sequence[str] | None) -> Examples:
    """Examples whose label numbers stand for the same words in another order.

    Args:
        examples: with numbers by `labels`.
        labels: words in the order of their numbers; None for scores.
        wanted: the same words in the wanted order.
    """
    if labels is None or wanted is None or tuple(labels) == tuple(wanted):
        return examples
    numbers = np.array([tuple(wanted).index(word) for word in labels], dtype=np.int64)
    return replace(examples, labels=numbers[examples.labels])
