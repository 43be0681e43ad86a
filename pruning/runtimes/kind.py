"""What a runtime has to say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pruning.measure.network import Network

Inputs = Mapping[str, Any]  # input_ids, attention_mask, token_type_ids: tensors (batch, tokens) int64
Answer = Callable[[], Any]  # gives logits, (batch, labels), as a tensor or an array
Opened = Callable[[Inputs], Answer]


@dataclass(frozen=True)
class Runtime:
    """A way to compute a network's answers.

    Attributes:
        name: as typed.
        title: for people.
        missing: why it cannot be had here, in one line; None where it can.
        opened: a network on the CPU with so many threads, ready to take inputs; MeasureError where that fails.
        size: bytes on disk of what it reads, weights and tokenizer; None where that is the reference's own files.
        then: what makes a network that is loaded compute so, as Python; None where nothing has to.
    """

    name: str
    title: str
    missing: Callable[[], str | None]
    opened: Callable[[Network, int], Opened]
    size: Callable[[Network], int] | None = None
    then: str | None = None
