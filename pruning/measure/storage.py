"""What a network takes to store where zeros need not be: as it is, as compressed rows, or as bits and values."""

from __future__ import annotations

import re
from typing import Any, Literal

from pruning.measure.cost import index_buffers, saved_tensors
from pruning.records import Count, Positive, Record

Layout = Literal["dense", "bitmap", "csr"]
LAYOUTS: tuple[Layout, ...] = ("dense", "bitmap", "csr")
OF_A_LAYER = re.compile(r"\blayers?\.\d")
HALF_BYTES = 2  # of a stored value
ROW_BYTES = 4  # of a row's place among the values (CSR)
NARROW, NARROW_BYTES, WIDE_BYTES = 65_536, 2, 4  # so many columns are numbered by two bytes, more of them by four


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
        bytes: values and indices.
    """

    layout: Layout
    parameters: Positive
    nonzero: Count
    encoder_parameters: Count
    encoder_nonzero: Count
    values: Count
    index_bytes: Count
    bytes: Positive


def stored(model: Any, value_bytes: int = HALF_BYTES) -> Stored:
    """Count a network's tensors as ``save_pretrained`` would save them, shared ones once.

    Args:
        model: any network; what its tensors are called says which are a layer's.
        value_bytes: of one value.
    """
    found = {name: tensor for name, tensor in saved_tensors(model).items() if tensor.is_floating_point()}
    counts = {name: (tensor.numel(), int(tensor.count_nonzero())) for name, tensor in found.items()}
    encoder = [counted for name, counted in counts.items() if OF_A_LAYER.search(name)]
    taken = []
    for layout in LAYOUTS:
        values, indices = 0, index_buffers(model)[1]
        for name, tensor in found.items():
            whole, kept = counts[name]
            places = _index_bytes(layout, tensor.shape, kept)
            if places is None or places + value_bytes * kept >= value_bytes * whole:
                values += whole
            else:
                values, indices = values + kept, indices + places
        taken.append((value_bytes * values + indices, layout, values, indices))
    size, layout, values, indices = min(taken, key=lambda row: row[0])
    return Stored(
        layout=layout,
        parameters=sum(whole for whole, _ in counts.values()),
        nonzero=sum(kept for _, kept in counts.values()),
        encoder_parameters=sum(whole for whole, _ in encoder),
        encoder_nonzero=sum(kept for _, kept in encoder),
        values=values,
        index_bytes=indices,
        bytes=size,
    )


def _index_bytes(layout: Layout, shape: Any, nonzero: int) -> int | None:
    """Bytes that say where a matrix's values belong; None where it stays dense."""
    if layout == "dense" or len(shape) != 2:
        return None
    rows, columns = shape
    if layout == "bitmap":
        return -(-rows * columns // 8)
    return ROW_BYTES * (rows + 1) + (NARROW_BYTES if columns <= NARROW else WIDE_BYTES) * nonzero
