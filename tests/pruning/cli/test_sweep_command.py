"""``python -m pruning sweep``: cells listed with their state, made once, told of in one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pruning.cli.main import main
from pruning.sweep.plan import read_sweep
from tests.factories.tiny_sweep import write_material, write_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sweep")
    write_material(place)
    write_sweep(place, methods=("layers", "slim"), tasks=("cola",))
    return place


def sweep(folder: Path, *further: str) -> int:
    typed = ["sweep", folder / "tiny.toml", "--data", folder / "glue", "--output", folder / "results"]
    return main([*map(str, typed), "--runs", str(folder / "runs"), "--device", "cpu", *further])


def test_cells_are_listed_made_and_listed_as_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep(folder, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "cola/layers-20  to do",
        "cola/slim-20    to do",
        "2 cells: 2 to do",
    ]
    assert not (folder / "results").exists()
    assert sweep(folder) == 0
    out, err = capsys.readouterr()
    assert err.splitlines() == ["2 cells, 0 of them done", "[1/2] cola/layers-20", "[2/2] cola/slim-20"]
    assert out.splitlines()[-1].startswith("cola/layers-20 does not reach its budget (")
    assert sweep(folder, "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"cell": "cola/layers-20", "state": "done"},
        {"cell": "cola/slim-20", "state": "done"},
    ]
    assert sweep(folder, "--json") == 0  # nothing is made again
    out, err = capsys.readouterr()
    assert err == ""
    assert [row["cell"]["method"] for row in json.loads(out)] == ["layers", "slim"]


def test_a_cell_that_cannot_be_made_is_told_of(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_material(tmp_path)
    path = write_sweep(tmp_path, methods=("random",), tasks=("cola",), budgets=(0.001,))
    assert len(read_sweep(path)) == 1
    assert sweep(tmp_path) == 1
    err = capsys.readouterr().err.splitlines()
    assert err[-1].startswith("cola/random-0.1 was not made: budget total_density=0.001: below what is reachable here")


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["none.toml"], "sweep none.toml: No such file or directory, expected a TOML file"),
        (["tiny.toml", "--workers", "0"], "argument --workers: '0': expected a whole number from 1 on"),
    ],
)
def test_bad_input_is_one_line(
    folder: Path,
    typed: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    try:
        code = main(["sweep", *typed])
    except SystemExit as end:
        code = end.code
    assert code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
