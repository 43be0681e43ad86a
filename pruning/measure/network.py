"""A network ready to answer: what every measurement takes."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from pruning.errors import DataError

if TYPE_CHECKING:
    from pruning.data.batches import Encoded
    from pruning.data.examples import Examples


@dataclass(frozen=True, eq=False)
class Network:
    """A model with all that it needs to read a text.

    Attributes:
        model: a teacher or slim network, in eval mode, on `device`.
        tokenizer: its own (a slim network's vocabulary is cut).
        max_length: most tokens of a text, special ones included; never more than the model has positions.
        device: as torch names it.
    """

    model: Any
    tokenizer: Any
    max_length: int
    device: str = "cpu"

    def __post_init__(self) -> None:
        positions = getattr(getattr(self.model, "config", None), "max_position_embeddings", self.max_length)
        object.__setattr__(self, "max_length", min(self.max_length, int(positions)))

    def on(self, device: str) -> Network:
        """The same network on another device; the model itself is moved."""
        return replace(self, model=self.model.to(device).eval(), device=device)

    def apart(self) -> Self:
        """The same network with a model of its own, to be changed at will; the two share their weights alone."""
        shared = {id(tensor): tensor for tensor in chain(self.model.parameters(), self.model.buffers())}
        return replace(self, model=copy.deepcopy(self.model, shared))

    def encode(self, examples: Examples) -> Encoded:
        """Examples as this network reads them.

        Raises:
            DataError: if there are none.
        """
        from pruning.data.batches import encode

        if not len(examples):
            raise DataError(f"{examples.origin}: no examples, expected at least one")
        return encode(self.tokenizer, examples, self.max_length)
