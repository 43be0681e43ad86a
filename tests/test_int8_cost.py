"""What int8 costs: the same examples in both precisions, in a table."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from benchmarks import int8_cost
from benchmarks.sections import begin, end
from pruning.export import Parity
from pruning.study import read_study
from tests.factories.tiny_study import BUDGET, write_tiny_study

SLIM = f"slim-{BUDGET}"


def test_a_row_is_int8_less_float(tmp_path: Path) -> None:
    study = read_study(write_tiny_study(tmp_path, "cola"))
    parity = Parity(
        origin="folder glue",
        texts=1043,
        same_answer=0.98182,
        correlation=None,
        largest_difference=0.5,
        metrics={"mcc": 0.1969, "accuracy": 0.7},
        original={"mcc": 0.2001, "accuracy": 0.6},
    )
    assert int8_cost.row(study, "slim-5", parity) == (
        "| CoLA | slim-5 | MCC | 0.2001 | 0.1969 | −0.32 | 98.18% | 1,043 |"
    )
    scores = parity.replace(same_answer=None, correlation=0.99944)
    assert "| r = 0.9994 | 1,043 |" in int8_cost.row(study, "slim-5", scores)


def test_the_table_of_a_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = write_tiny_study(tmp_path / "studies", "rte")
    rows = {"sentence1": ["one film", "a soup"] * 3, "sentence2": ["is good", "is bad"] * 3, "label": [0, 1] * 3}
    (tmp_path / "data" / "rte").mkdir(parents=True)
    pandas.DataFrame(rows).to_parquet(tmp_path / "data" / "rte" / "validation.parquet")
    document = tmp_path / "document.md"
    document.write_text(f"{begin('int8')}\n{end('int8')}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    typed = ["studies/rte", "--data", str(tmp_path / "data"), "--variants", SLIM, "slim-7"]
    assert int8_cost.main([*typed, "--write", str(document)]) == 0
    lines = document.read_text(encoding="utf-8").splitlines()
    assert lines[1:3] == int8_cost.HEADER.splitlines()
    (row,) = lines[3:-3]  # of what is stored
    assert row.startswith(f"| RTE | {SLIM} | Accuracy | ")
    assert row.endswith(" | 6 |")
    assert f"`python -m benchmarks.int8_cost studies/rte --data data --variants {SLIM} slim-7`; commit " in lines[-2]
    assert str(tmp_path) not in "".join(lines)
    assert study.is_dir()
    assert int8_cost.main(["studies/none", "--data", str(tmp_path / "data")]) == 2
