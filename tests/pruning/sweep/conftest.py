"""Material of a tiny sweep, and what it ends with one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pruning.sweep.local import one_by_one
from pruning.sweep.place import Place
from pruning.sweep.plan import Cell, read_sweep
from pruning.sweep.result import CellResult, path_of, read_result
from tests.factories.quick_run import frozen_garbage
from tests.factories.tiny_sweep import place_of, write_material, write_sweep


@dataclass(frozen=True)
class Swept:
    """A sweep that was made one by one.

    Attributes:
        folder: of the material.
        cells: its cells.
        results: of each.
    """

    folder: Path
    cells: tuple[Cell, ...]
    results: dict[Cell, CellResult]


@pytest.fixture(scope="package")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Swept:
    folder = tmp_path_factory.mktemp("sweep")
    write_material(folder)
    cells = read_sweep(write_sweep(folder))
    place = place_of(folder, "serial")
    with frozen_garbage():
        outcomes = list(one_by_one(cells, place))
    assert [outcome.cell for outcome in outcomes if not outcome.error] == list(cells)
    return Swept(folder, cells, {cell: read_result(path_of(Path(place.output), cell)) for cell in cells})


def assert_same(swept: Swept, place: Place) -> None:
    """All results are there, and equal those that were made one by one."""
    for cell, alone in swept.results.items():
        found = read_result(path_of(Path(place.output), cell))
        assert found.without_making() == alone.without_making(), cell.name
    digests = {result.weights_sha256 for result in swept.results.values()}
    assert len(digests) == len(swept.results)  # no two cells hold the same network, so equality says something
