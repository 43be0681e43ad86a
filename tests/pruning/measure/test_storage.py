"""Bytes of dense, bitmap and CSR layouts against scipy's own arrays and counts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape
from pruning.measure.storage import Places, places, stored


class One(nn.Module):
    """A matrix of a layer and a vector of none."""

    def __init__(self, rows: int, columns: int, nonzero: int) -> None:
        super().__init__()
        values = np.zeros(rows * columns, dtype=np.float32)
        values[np.random.default_rng(0).permutation(len(values))[:nonzero]] = 1.5
        self.layer = nn.ModuleList([nn.Linear(columns, rows, bias=False)])
        self.layer[0].weight = nn.Parameter(torch.from_numpy(values.reshape(rows, columns)))
        self.head = nn.Parameter(torch.zeros(10))


def test_a_dense_network_is_dense(tiny_bert: Any, tiny_shape: BertShape) -> None:
    found, counted = stored(tiny_bert), count_parameters(tiny_shape.network())
    assert (found.layout, found.index_bytes) == ("dense", 0)
    assert found.parameters == found.nonzero == found.values == counted.total
    assert found.encoder_parameters == found.encoder_nonzero == counted.encoder
    assert found.bytes == 2 * counted.total


@pytest.mark.parametrize(("nonzero", "layout"), [(2000, "dense"), (1000, "bitmap"), (200, "bitmap"), (60, "csr")])
def test_the_layout_is_the_smallest(nonzero: int, layout: str) -> None:
    model = One(20, 100, nonzero)
    found = stored(model)
    csr = sparse.csr_array(model.layer[0].weight.detach().numpy())
    assert csr.indices.dtype == csr.indptr.dtype == np.int32
    sizes = {
        "dense": 2 * 2000,
        "bitmap": 2 * nonzero + 2000 // 8,
        "csr": 2 * nonzero + csr.indptr.nbytes + csr.indices.nbytes // 2,  # columns below 65,536 take two bytes
    }
    assert found.layout == layout == min(sizes, key=sizes.__getitem__)
    assert found.bytes == sizes[layout] + 2 * 10  # the vector stays as it is, zeros and all
    assert (found.parameters, found.nonzero) == (2010, nonzero)
    assert (found.encoder_parameters, found.encoder_nonzero) == (2000, nonzero)
    assert found.bytes == 2 * found.values + found.index_bytes


def test_shared_matrices_are_stored_once() -> None:
    model = One(20, 100, 2000)
    model.layer.append(model.layer[0])
    assert stored(model).bytes == stored(One(20, 100, 2000)).bytes


@pytest.mark.parametrize("density", [0.0, 0.03, 0.3, 1.0])
@pytest.mark.parametrize(("rows", "columns"), [(7, 12), (64, 40), (3, 8)])
def test_ones_and_fours_are_those_of_scipy_and_numpy(rows: int, columns: int, density: float) -> None:
    generator = np.random.default_rng(rows)
    array = generator.normal(size=(rows, columns)).astype(np.float32) * (generator.random((rows, columns)) < density)
    csr = sparse.csr_array(array)
    bsr = sparse.bsr_array(csr, blocksize=(1, 4))
    dense, ones, fours = places(torch.from_numpy(array), "csr")
    assert dense == Places(array.size, 0)
    assert ones == Places(csr.data.size, csr.indices.astype(np.uint16).nbytes + csr.indptr.astype(np.int32).nbytes)
    assert fours == Places(bsr.data.size, bsr.indices.astype(np.uint16).nbytes + bsr.indptr.astype(np.int32).nbytes)
    _, ones, fours = places(torch.from_numpy(array), "bitmap")
    assert ones == Places(csr.data.size, np.packbits(array != 0).nbytes)
    assert fours == Places(bsr.data.size, np.packbits((array.reshape(rows, -1, 4) != 0).any(-1)).nbytes)


def test_wide_matrices_need_wider_columns_and_odd_ones_have_no_fours() -> None:
    wide, narrow = (torch.zeros(1, columns) for columns in (2**16 + 1, 2**16))
    wide[0, -1] = narrow[0, -1] = 1.0
    assert places(wide, "csr")[1:] == [Places(1, 2 * 4 + 4)]
    assert places(narrow, "csr")[1:] == [Places(1, 2 * 4 + 2), Places(4, 2 * 4 + 2)]
    assert places(torch.zeros(9), "csr") == places(torch.zeros(9), "dense") == [Places(9, 0)]
