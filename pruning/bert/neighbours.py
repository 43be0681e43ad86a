"""Words that a backbone's word table holds near each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from pruning.bert.model import word_table
from pruning.bert.vocabulary import whole_words

NEAREST = 8
CHUNK = 1024  # words compared at a time


def neighbours(model: Any, tokenizer: Any) -> dict[str, list[str]]:
    """The nearest whole words of each whole word, by the cosine of their rows in the word table.

    A word that the vocabulary has with capitals alone is found in lower case as well, as texts are searched for them.

    Args:
        model: a BERT classifier.
        tokenizer: its own.
    """
    names, numbers = whole_words(tokenizer)
    if len(names) < 2:  # where every word is a character, as in a Chinese vocabulary
        return {}
    table = word_table(model)[numbers]
    table = table - table.mean(0)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)
    found: dict[str, list[str]] = {}
    for start in range(0, len(names), CHUNK):
        likeness = table[start : start + CHUNK] @ table.T
        likeness[np.arange(len(likeness)), start + np.arange(len(likeness))] = -np.inf
        near = np.argpartition(-likeness, min(NEAREST, len(names) - 1), axis=1)[:, :NEAREST]
        for row, places in enumerate(near):
            best = places[np.argsort(-likeness[row, places], kind="stable")]
            found[names[start + row]] = [names[place] for place in best if place != start + row]
    return {name.lower(): near for name, near in found.items()} | found
