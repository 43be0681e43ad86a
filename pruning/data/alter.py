"""Own texts with some words replaced by neighbours, left out or swapped: texts to follow a teacher on, without labels.

After the data augmentation of TinyBERT (Jiao et al. 2020), with the backbone's word table in place of a language model:
what the altered text means is for the teacher to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from pruning.data.examples import Examples, unlabelled

REPLACED, DROPPED, SWAPPED = 0.2, 0.05, 0.05  # shares of the words
_PARTS = re.compile(r"\w+|\W+")


def altered(examples: Examples, neighbours: Mapping[str, Sequence[str]], rows: int, seed: int) -> Examples:
    """So many altered copies of examples, drawn evenly; both texts of a pair are altered, each on its own.

    Args:
        examples: to alter.
        neighbours: word in lower case -> words of like meaning or kind.
        rows: how many copies.
        seed: of the draw and the alterations.
    """
    generator = np.random.default_rng(seed)
    chosen = np.concatenate([generator.permutation(len(examples)) for _ in range(-(-rows // len(examples)))])[:rows]
    texts = [_altered(examples.texts[row], neighbours, generator) for row in chosen]
    pairs = examples.pairs and [_altered(examples.pairs[row], neighbours, generator) for row in chosen]
    return unlabelled(texts, pairs, f"{rows} altered copies of {examples.origin}")


def _altered(text: str, neighbours: Mapping[str, Sequence[str]], generator: np.random.Generator) -> str:
    parts = _PARTS.findall(text)
    places = [place for place, part in enumerate(parts) if part[0].isalnum()]
    kinds = generator.random(len(places))
    choices = generator.integers(1 << 30, size=len(places))
    for number, place in enumerate(places):
        if kinds[number] < REPLACED:
            near = neighbours.get(parts[place].lower(), ())
            parts[place] = near[choices[number] % len(near)] if near else parts[place]
        elif kinds[number] < REPLACED + DROPPED and len(places) > 2:
            parts[place] = ""
        elif kinds[number] < REPLACED + DROPPED + SWAPPED and number + 1 < len(places):
            other = places[number + 1]
            parts[place], parts[other] = parts[other], parts[place]
    return "".join(parts)
