"""What is stored of a cell: numbers that agree with each other, with the network and with what is read again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pruning.bert.counts import count_flops, count_parameters
from pruning.bert.shapes import BertShape
from pruning.errors import StoreError
from pruning.sweep.result import path_of, read_result, state_of, write_result
from pruning.sweep.table import table
from tests.factories.tiny_backbone import shape
from tests.pruning.sweep.conftest import Swept


@pytest.fixture(scope="module")
def dense() -> BertShape:
    return shape(2)


def test_columns_are_counted_of_the_teacher_and_of_the_network(swept: Swept, dense: BertShape) -> None:
    whole = count_parameters(dense.network())
    for result in swept.results.values():
        assert result.teacher_stored.parameters == whole.total
        assert result.teacher_stored.encoder_parameters == whole.encoder
        assert result.teacher_flops.total == count_flops(dense.network(), result.teacher_flops.length)
        assert result.density <= result.stored.parameters / whole.total <= result.cell.budget.value
        assert 0 < result.encoder_density < 0.25
        assert 0 < result.flop_ratio < 0.5
        assert result.stored_density == pytest.approx(result.stored.values / whole.total, rel=0.01)
        assert result.size_bytes > result.stored.bytes
        assert result.steps == 4
        assert result.note == ""
        assert set(result.made.shared_seconds) == {"teacher", "importance", "cache"}
        assert result.minutes > 0


def test_scores_are_of_both_on_the_same_split(swept: Swept) -> None:
    for cell, result in swept.results.items():
        assert [score.variant.name for score in result.scores] == ["teacher", cell.variant.name]
        assert {score.count for score in result.scores} == {20}
        assert result.score.interval is not None
        assert result.teacher.retention in (1, None)  # None: CoLA's teacher knows nothing
    teachers = {cell.task: result.teacher for cell, result in swept.results.items()}
    assert all(result.teacher == teachers[cell.task] for cell, result in swept.results.items())


def test_every_kernel_is_timed_beside_the_teacher(swept: Swept) -> None:
    for result in swept.results.values():
        assert [(time.kernel, time.batch) for time in result.made.times] == [
            (kernel, batch) for batch in (1, 32) for kernel in ("teacher", "dense")
        ]
        assert result.speedup(1) > 0
        assert result.speedup(1, "csr") is None


def test_a_result_is_read_as_it_was_written(swept: Swept, tmp_path: Path) -> None:
    for cell, result in swept.results.items():
        assert state_of(tmp_path, cell) == "to do"
        write_result(tmp_path, result)
        assert read_result(path_of(tmp_path, cell)) == result
        assert state_of(tmp_path, cell) == "done"
        other = cell.replace(settings=cell.settings.replace(train_rows=30))
        assert state_of(tmp_path, other) == "other settings"
        assert [path.name for path in path_of(tmp_path, cell).parent.glob("*.partial")] == []
    path = path_of(tmp_path, cell)
    path.write_text(path.read_text()[:-100])
    assert state_of(tmp_path, cell) == "damaged"
    path.write_text(json.dumps({"schema": 1}))
    with pytest.raises(StoreError, match="not a sweep's result: Object missing required field cell"):
        read_result(path)


def test_nothing_stored_is_a_weight_or_a_text(swept: Swept) -> None:
    files = [path for path in (swept.folder / "serial" / "results").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    assert max(path.stat().st_size for path in files) < 12_000
    assert not any("film" in path.read_text() for path in files)


def test_the_table_has_a_row_a_method_and_budget(swept: Swept) -> None:
    lines = table(swept.results.values())
    names = ["method", "budget", "sst2", "cola", "retention", "above floor", "density", "bytes", "FLOPs"]
    assert re.split(" {2,}", lines[0]) == [*names, "batch 1", "batch 32", "CSR 1", "CSR 32", "steps", "minutes"]
    assert {tuple(line.split()[:2]) for line in lines[1:]} == {("slim", "20"), ("random", "20")}
    result = next(iter(swept.results.values()))
    noted = [*list(swept.results.values())[1:], result.replace(note="does not reach its budget")]
    assert table(noted)[-1] == f"{result.cell.name} does not reach its budget"
