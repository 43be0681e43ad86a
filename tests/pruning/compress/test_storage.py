"""What zeros save, against what SciPy's matrices and NumPy's packed bits really take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from pruning.compress.shared_layers import tied
from pruning.compress.storage import Stored, best, layouts, network_bytes, stored_parameters
from pruning.slimbert import dense_from_bert, parameter_count


def sparse(rows: int, columns: int, density: float, together: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rows + columns)
    stays = torch.rand(rows, columns // together, generator=generator) < density
    return torch.randn(rows, columns, generator=generator) * stays.repeat_interleave(together, dim=1)


def by_name(tensor: torch.Tensor) -> dict[tuple[str, int], Stored]:
    return {(stored.format, stored.together): stored for stored in layouts(tensor)}


@pytest.mark.parametrize("together", [1, 4])
@pytest.mark.parametrize("density", [0.0, 0.03, 0.3, 1.0])
@pytest.mark.parametrize(("rows", "columns"), [(7, 12), (64, 40), (3, 8)])
def test_bytes_are_those_of_scipy_and_numpy(rows: int, columns: int, density: float, together: int) -> None:
    tensor = sparse(rows, columns, density, together)
    found, array = by_name(tensor), tensor.numpy()
    half = np.float16
    csr = scipy.sparse.csr_array(array)
    assert found["csr", 1].values == csr.data.size
    indices = csr.indices.astype(np.int16)
    assert found["csr", 1].bytes == csr.data.astype(half).nbytes + indices.nbytes + csr.indptr.astype(np.int32).nbytes
    bsr = scipy.sparse.bsr_array(csr, blocksize=(1, 4))
    assert found["csr", 4].values == bsr.data.size
    assert found["csr", 4].bytes == (
        bsr.data.astype(half).nbytes + bsr.indices.astype(np.int16).nbytes + bsr.indptr.astype(np.int32).nbytes
    )
    bits, fours = np.packbits(array != 0), np.packbits((array.reshape(rows, -1, 4) != 0).any(-1))
    assert found["bitmap", 1].bytes == array[array != 0].astype(half).nbytes + bits.nbytes
    assert found["bitmap", 4].bytes == bsr.data.astype(half).nbytes + fours.nbytes
    assert found["dense", 1] == Stored("dense", 1, tensor.numel(), array.astype(half).nbytes)
    assert best(tensor).bytes == min(stored.bytes for stored in found.values())


@pytest.mark.parametrize(
    ("density", "together", "expected"),
    [(1.0, 1, "dense"), (0.95, 1, "dense"), (0.5, 1, "bitmap"), (0.01, 1, "csr"), (0.1, 4, "bitmap")],
)
def test_each_format_serves_somewhere(density: float, together: int, expected: str) -> None:
    stored = best(sparse(400, 400, density, together))
    assert (stored.format, stored.together) == (expected, together)


def test_wide_matrices_need_wider_columns_and_odd_ones_have_no_fours() -> None:
    wide = torch.zeros(1, 2**15 + 2)
    wide[0, -1] = 1.0
    assert by_name(wide)["csr", 1].bytes == 2 + 4 + 2 * 4
    narrow = torch.zeros(1, 2**15)
    narrow[0, -1] = 1.0
    assert by_name(narrow)["csr", 1].bytes == 2 + 2 + 2 * 4
    assert ("csr", 4) not in by_name(wide)
    assert layouts(torch.zeros(9)) == [Stored("dense", 1, 9, 18)]
    assert Stored("csr", 1, 1, 13).parameters == 7


def test_a_networks_bytes_count_what_is_shared_once(tiny_bert: Any) -> None:
    network = dense_from_bert(tiny_bert)
    whole = sum(parameter.numel() for parameter in network.parameters())
    assert network_bytes(network) == 2 * whole
    assert parameter_count(network, stored_parameters) == parameter_count(network)
    a_layer = sum(parameter.numel() for parameter in network.slimbert.layers[0].parameters())
    assert network_bytes(tied(network, 0)) == 2 * (whole - a_layer)
