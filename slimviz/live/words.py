"""The words of a text, and which word pieces of each network they are: what rows of attributions stand for.

Teacher and slim network read the same text in other pieces where the vocabulary was cut, so they meet at places in the
text itself. Pure: no torch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Tokenizers split at every sign; these are inside a word or a number: don't, well-made, 3.5.
INSIDE = re.compile(r"(?<=[^\W_])['’\-](?=[^\W_])|(?<=\d)[.,](?=\d)")


@dataclass(frozen=True)
class Piece:
    """One word piece as a network reads it.

    Attributes:
        text: the piece in the vocabulary's spelling ("##ing").
        place: number of its token.
        field: 0 for the first text, 1 for the second.
        start: its first character in that text.
        end: one past its last.
        word: number of the tokenizer's own word.
    """

    text: str
    place: int
    field: int
    start: int
    end: int
    word: int


@dataclass(frozen=True)
class Word:
    """A word (or a sign on its own) of what was typed.

    Attributes:
        text: as it was typed.
        field: 0 for the first text, 1 for the second.
        start: its first character in that text.
        end: one past its last.
    """

    text: str
    field: int
    start: int
    end: int


def pieces_of(encoding: Any) -> list[Piece]:
    """The pieces of a text or a pair that are no marks around it.

    Args:
        encoding: of a fast tokenizer (`tokenizers.Encoding`).
    """
    rows = zip(encoding.tokens, encoding.sequence_ids, encoding.offsets, encoding.word_ids, strict=True)
    return [
        Piece(text, place, field, start, max(end, start + 1), word)
        for place, (text, field, (start, end), word) in enumerate(rows)
        if field is not None
    ]


def words_of(texts: Sequence[str], spelled: Sequence[Sequence[Piece]]) -> list[Word]:
    """The words that at least one network read, in the order of the text; each of their pieces lies in one of them.

    Args:
        texts: one, or two of a pair.
        spelled: each network's pieces.
    """
    words = []
    for field, text in enumerate(texts):
        spans = [span for pieces in spelled for span in _own_words(pieces, field)]
        last = max((end for _, end in spans), default=0)
        spans += [(at.start() - 1, at.end() + 1) for at in INSIDE.finditer(text[:last])]
        words += [Word(text[start:end], field, start, end) for start, end in _joined(spans)]
    return words


def _own_words(pieces: Sequence[Piece], field: int) -> list[tuple[int, int]]:
    """The tokenizer's words as spans of characters."""
    spans: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        if piece.field == field:
            start, end = spans.get(piece.word, (piece.start, piece.end))
            spans[piece.word] = min(start, piece.start), max(end, piece.end)
    return list(spans.values())


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def spelling(words: Sequence[Word], pieces: Sequence[Piece]) -> list[tuple[Piece, ...]]:
    """Each word's pieces, as one network spells it; none where it reads no further than before the word."""
    return [
        tuple(piece for piece in pieces if piece.field == word.field and word.start <= piece.start < word.end)
        for word in words
    ]
