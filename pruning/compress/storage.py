"""What a tensor with zeros takes to store, in each format there is: pure arithmetic.

Zeros are not free: a format that leaves them out has to say where the others are. Vectors are stored dense.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import nn

VALUE_BYTES = 2  # half precision, as networks are stored
POINTER_BYTES = 4
TOGETHER = (1, 4)  # weights in a row that have one place: each its own, or fours

Format = Literal["dense", "csr", "bitmap"]


class Stored(NamedTuple):
    """A tensor in a format.

    Attributes:
        format: "dense": every value. "csr" (compressed sparse rows): values, the column of each (2 bytes up to 32,768
            columns, else 4), where each row begins (4 bytes). "bitmap": values, and a bit for each place.
        together: weights in a row that share a column, or a bit; where one of them is not zero, all are stored.
        values: how many are stored.
        bytes: of values and of all that says where they are.
    """

    format: Format
    together: int
    values: int
    bytes: int

    @property
    def parameters(self) -> int:
        """The bytes counted as parameters in half precision: what a dense tensor of these bytes would hold."""
        return -(-self.bytes // VALUE_BYTES)


def layouts(tensor: torch.Tensor) -> list[Stored]:
    """A tensor in every format that can hold it, dense first."""
    found = [Stored("dense", 1, tensor.numel(), VALUE_BYTES * tensor.numel())]
    if tensor.ndim != 2:
        return found
    rows, columns = tensor.shape
    for together in TOGETHER:
        if columns % together:
            continue
        places = columns // together
        filled = int(torch.count_nonzero(tensor.reshape(rows, places, together).ne(0).any(-1)))
        values = filled * together
        columns_bytes = filled * (2 if places <= 2**15 else 4) + (rows + 1) * POINTER_BYTES
        found += [
            Stored("csr", together, values, VALUE_BYTES * values + columns_bytes),
            Stored("bitmap", together, values, VALUE_BYTES * values + -(-rows * places // 8)),
        ]
    return found


def best(tensor: torch.Tensor) -> Stored:
    """The format that takes the fewest bytes; of equal ones the plainest."""
    return min(layouts(tensor), key=lambda stored: stored.bytes)


def stored_parameters(tensor: torch.Tensor) -> int:
    """Parameters in the format that serves best; for `slimbert.parameter_count`."""
    return best(tensor).parameters


def network_bytes(network: nn.Module) -> int:
    """Bytes of all parameters, each in the format that serves it best and what layers share once."""
    return sum(best(parameter.detach()).bytes for parameter in network.parameters())
