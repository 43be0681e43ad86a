"""The README's comparison of methods: means of what a sweep stored, as a table and a picture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from benchmarks import rivals_table
from benchmarks.sections import between_markers
from pruning.errors import StoreError
from pruning.shipped import shipped
from pruning.sweep.result import write_result
from tests.factories.sweep_results import cell_result

ROOT = Path(__file__).resolve().parent.parent
TASKS = ("sst2", "cola", "mrpc", "stsb")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three methods at 10% on all tasks, one of them with three seeds; another one on three tasks."""
    for number, task in enumerate(TASKS):
        for seed in (0, 1, 2):
            score = 0.80 + 0.01 * number + 0.02 * seed
            write_result(tmp_path, cell_result(task, "slim", 0.1, seed=seed, score=score))
        write_result(tmp_path, cell_result(task, "obert", 0.1, score=0.7))
        write_result(tmp_path, cell_result(task, "magnitude", 0.1, score=0.6))
        if number:
            write_result(tmp_path, cell_result(task, "kwon", 0.1))
    return tmp_path


def row_of(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_row_is_the_mean_over_tasks_with_the_spread_over_seeds(folder: Path) -> None:
    text = rivals_table.table_text(rivals_table.results_by_task(folder, TASKS))
    slim, obert = row_of(text, "SlimViz"), row_of(text, "Optimal BERT Surgeon")
    # Seeds 0, 1, 2 score 0.815, 0.835, 0.855 in the mean, of a teacher's 0.9 above a floor of 0.5.
    assert slim[1:4] == ["10%", "92.8% ± 2.2", "83.8% ± 5.0"]
    assert slim[4:7] == ["10.0%", "10.0%", "10.0%"]
    assert obert[1:7] == ["10%", "77.8%", "50.0%", "10.0%", "15.0%", "100.0%"]
    assert (slim[7:9], obert[7:9]) == (["10.0×", "10.0×"], ["1.0×", "1.0×"])
    assert text.index("| SlimViz |") < text.index("| Optimal BERT Surgeon |")
    assert "23 of " in text
    assert "Kwon" not in text  # not on all tasks


def test_the_picture_is_drawn_of_the_same_points(folder: Path) -> None:
    results = rivals_table.results_by_task(folder, TASKS)
    drawn = rivals_table.picture(results)
    assert drawn == rivals_table.picture(results)
    assert {"SlimViz", "Optimal BERT Surgeon"} <= set(re.findall(r">([^<>]+)</text>", drawn))
    assert "Kwon" not in drawn


def test_networks_that_are_larger_than_their_budget_are_named_by_the_reason(folder: Path) -> None:
    for task in TASKS:
        for budget in (0.1, 0.05):
            fits = task == "cola" and budget == 0.1
            note = "" if fits else "does not reach its budget (13.1% of all parameters): one layer is left"
            write_result(folder, replace(cell_result(task, "layers", budget), note=note))
    text = rivals_table.table_text(rivals_table.results_by_task(folder, TASKS))
    assert " Out of reach: layers-10 of SST-2, MRPC and STS-B and layers-5 (one layer is left). " in text


def test_a_task_counts_once_it_has_three_quarters_of_the_methods_of_the_furthest(tmp_path: Path) -> None:
    for method in ("slim", "kwon", "obert", "magnitude"):
        write_result(tmp_path, cell_result("mrpc", method, 0.1))
    write_result(tmp_path, cell_result("cola", "slim", 0.1))
    results = rivals_table.results_by_task(tmp_path, TASKS)
    text = rivals_table.table_text(results)
    assert all(f"| {title} |" in text for title in ("SlimViz", "Optimal BERT Surgeon"))
    assert text.count("| 10% |") == 4
    assert "Means over MRPC (" in text
    assert "CoLA" not in text + rivals_table.picture(results)
    assert "5 of 348 cells" in text
    for method in ("kwon", "magnitude"):
        write_result(tmp_path, cell_result("cola", method, 0.1))
    text = rivals_table.table_text(rivals_table.results_by_task(tmp_path, TASKS))
    assert "Means over CoLA (" in text
    assert text.count("| 10% |") == 3


def test_without_results_the_table_says_so_and_nothing_is_drawn(tmp_path: Path) -> None:
    results = rivals_table.results_by_task(tmp_path, TASKS)
    assert rivals_table.table_text(results).startswith("No method has been made on all tasks yet (0 of ")
    with pytest.raises(StoreError, match="nothing can be drawn"):
        rivals_table.picture(results)


def test_a_damaged_result_is_an_error(folder: Path) -> None:
    (folder / "cola" / "slim-10.json").write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="not a sweep's result"):
        rivals_table.results_by_task(folder, TASKS)


def test_the_readme_has_what_ships() -> None:
    results = rivals_table.results_by_task(shipped("rivals"), TASKS)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    again = "python -m benchmarks.rivals_table --write README.md --picture assets/rivals/methods.svg"
    assert between_markers(readme, rivals_table.SECTION, "README.md") == rivals_table.table_text(results), again
    if any(results.values()):
        drawn = (ROOT / "assets" / "rivals" / "methods.svg").read_text(encoding="utf-8")
        assert drawn == rivals_table.picture(results), again
