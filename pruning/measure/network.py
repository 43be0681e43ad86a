"""A network ready to answer: what every measurement takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Network:
    """A model with all that it needs to read a text.

    Attributes:
        model: a teacher or slim network, in eval mode, on `device`.
        tokenizer: its own (a slim network's vocabulary is cut).
        max_length: most tokens of a text, special ones included.
        device: as torch names it.
    """

    model: Any
    tokenizer: Any
    max_length: int
    device: str = "cpu"
