"""What a network takes to store where zeros need not be: as it is, as compressed rows, or as bits and values."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Literal, NamedTuple

from pruning.measure.cost import index_buffers, saved_tensors
from pruning.records import Count, Positive, Record

Layout = Literal["dense", "bitmap", "csr"]
LAYOUTS: tuple[Layout, ...] = ("dense", "bitmap", "csr")
OF_A_LAYER = re.compile(r"\blayers?\.\d")
HALF_BYTES = 2  # of a stored value
INT8_BYTES = 1  # of one in int8
SCALE_BYTES = 8  # of a tensor in int8: its scale and its zero point
ROW_BYTES = 4  # of a row's place among the values (CSR)
NARROW, NARROW_BYTES, WIDE_BYTES = 65_536, 2, 4  # so many columns are numbered by two bytes, more of them by four
TOGETHER = (1, 4)  # values in a row that have one place: each its own, or fours, stored where one of them is not 0


class Stored(Record, frozen=True, kw_only=True):
    """What a network stores, in the layout that takes the fewest bytes.

    Attributes:
        layout: of its matrices. Vectors, and matrices that it would make larger, stay dense in any layout.
        parameters: numbers that a dense network of these widths has, zeros included.
        nonzero: those that are not 0.
        encoder_parameters: the same of the layers alone.
        encoder_nonzero: likewise.
        values: numbers that are stored.
        index_bytes: what says where they belong.
        bytes: values and indices, scales of what is in int8.
    """

    layout: Layout
    parameters: Positive
    nonzero: Count
    encoder_parameters: Count
    encoder_nonzero: Count
    values: Count
    index_bytes: Count
    bytes: Positive


def stored(model: Any, value_bytes: int = HALF_BYTES, int8: Collection[str] = ()) -> Stored:
    """Count a network's tensors as ``save_pretrained`` would save them, shared ones once.

    Args:
        model: any network; what its tensors are called says which are a layer's.
        value_bytes: of one value.
        int8: names of tensors in int8, a byte a value.
    """
    found = {name: tensor for name, tensor in saved_tensors(model).items() if tensor.is_floating_point()}
    widths = {name: INT8_BYTES if name in int8 else value_bytes for name in found}
    beside = index_buffers(model)[1]
    scales = SCALE_BYTES * sum(name in int8 for name in found)
    counts = {name: (tensor.numel(), int(tensor.count_nonzero())) for name, tensor in found.items()}
    encoder = [counted for name, counted in counts.items() if OF_A_LAYER.search(name)]
    sizes = []
    for layout in LAYOUTS:
        ways = [(_smallest(places(tensor, layout), widths[name]), widths[name]) for name, tensor in found.items()]
        taken = Places(sum(way.values for way, _ in ways), beside + sum(way.index_bytes for way, _ in ways))
        sizes.append((scales + beside + sum(way.bytes(width) for way, width in ways), layout, taken))
    size, layout, taken = min(sizes, key=lambda row: row[0])
    return Stored(
        layout=layout,
        parameters=sum(whole for whole, _ in counts.values()),
        nonzero=sum(kept for _, kept in counts.values()),
        encoder_parameters=sum(whole for whole, _ in encoder),
        encoder_nonzero=sum(kept for _, kept in encoder),
        values=taken.values,
        index_bytes=taken.index_bytes,
        bytes=size,
    )


class Places(NamedTuple):
    """Values that are stored, and what says where they belong."""

    values: int
    index_bytes: int

    def bytes(self, value_bytes: int) -> int:
        """Of both."""
        return value_bytes * self.values + self.index_bytes


def _smallest(ways: Iterable[Places], value_bytes: int) -> Places:
    return min(ways, key=lambda way: way.bytes(value_bytes))


def places(tensor: Any, layout: Layout) -> list[Places]:
    """Every way to store a tensor in a layout, the first one dense.

    Args:
        tensor: vectors, and all tensors in the layout "dense", have no other way.
        layout: "bitmap" has a bit for each place; "csr" (compressed sparse rows) the column of each value, and where
            each row begins.
    """
    ways = [Places(tensor.numel(), 0)]
    if layout == "dense" or tensor.ndim != 2:
        return ways
    rows, columns = tensor.shape
    for together in TOGETHER:
        if columns % together:
            continue
        groups = columns // together
        filled = int(tensor.reshape(rows, groups, together).ne(0).any(-1).sum())
        if layout == "bitmap":
            index_bytes = -(-rows * groups // 8)
        else:
            index_bytes = ROW_BYTES * (rows + 1) + (NARROW_BYTES if groups <= NARROW else WIDE_BYTES) * filled
        ways.append(Places(together * filled, index_bytes))
    return ways
