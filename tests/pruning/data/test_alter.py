"""Altered copies of own texts."""

from __future__ import annotations

import numpy as np

from pruning.data.alter import altered
from pruning.data.examples import Examples

NEAR = {"cat": ("dog", "cow"), "sat": ("stood",)}
OWN = Examples(
    tuple(f"The cat sat, {n} times!" for n in range(20)),
    tuple(f"A cat no. {n}" for n in range(20)),
    np.zeros(20),
    "own",
)


def test_words_become_neighbours_and_the_rest_stays_in_place() -> None:
    copies = altered(OWN, NEAR, 50, seed=0)
    assert len(copies) == 50
    assert not copies.is_labelled
    assert copies.pairs is not None
    words = {word for text in copies.texts for word in text.split()}
    assert {"dog", "cow", "stood,"} <= {word.lower() for word in words}
    assert all(text.endswith("!") for text in copies.texts)
    assert "50 altered copies of own" in copies.origin


def test_every_text_is_drawn_as_often_and_most_change() -> None:
    copies = altered(OWN, NEAR, 40, seed=0)
    kept = [sum(f"{n}" in text.split() for text in copies.texts) for n in range(20)]
    assert max(kept) <= 2
    assert len(set(copies.texts) - set(OWN.texts)) > 20


def test_copies_follow_the_seed() -> None:
    assert altered(OWN, NEAR, 30, seed=1).sha256 == altered(OWN, NEAR, 30, seed=1).sha256
    assert altered(OWN, NEAR, 30, seed=1).sha256 != altered(OWN, NEAR, 30, seed=2).sha256


def test_single_words_stay() -> None:
    one = Examples(("cat", "..."), None, np.zeros(2), "own")
    copies = altered(one, {}, 20, seed=0)
    assert set(copies.texts) == {"cat", "..."}
    assert copies.pairs is None
