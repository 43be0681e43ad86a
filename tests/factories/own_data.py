"""A user's own data, made up: texts of the tiny vocabulary whose class or score follows from their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pruning.data.examples import Examples
from tests.factories.tiny_backbone import WORDS


def made_up(rows: int, seed: int) -> Examples:
    """Single texts of 2 to 10 words whose class follows from the words."""
    generator = np.random.default_rng(seed)
    texts = [" ".join(generator.choice(WORDS, 2 + number % 9)) for number in range(rows)]
    labels = np.array([text.count("good") >= text.count("bad") + text.count("cold") for text in texts], dtype=np.int64)
    return Examples(tuple(texts), None, labels, f"made-up texts, seed {seed}")


def write_csv(path: Path, rows: int, seed: int) -> None:
    """The same as a user's own file."""
    examples = made_up(rows, seed)
    lines = [f"{text},{'yes' if label else 'no'}" for text, label in zip(examples.texts, examples.labels, strict=True)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")


def scored_pairs(rows: int, seed: int) -> Examples:
    """Pairs whose score is how many words they share."""
    first, second = made_up(rows, seed).texts, made_up(rows, seed + 10).texts
    shared = [len(set(one.split()) & set(other.split())) for one, other in zip(first, second, strict=True)]
    return Examples(first, second, np.array(shared, dtype=np.float32), f"made-up pairs, seed {seed}")
