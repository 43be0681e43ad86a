"""A sweep's file: which cells it has, in which order, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning.errors import ConfigError
from pruning.methods.registry import METHODS
from pruning.selection.budget import Budget
from pruning.sweep.plan import read_sweep

ROOT = Path(__file__).resolve().parents[3]
CELLS = '[[cells]]\ntasks = ["sst2"]\nmethods = ["slim"]\nbudgets = [0.1]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_cells_are_every_combination_once_and_tasks_take_turns(tmp_path: Path) -> None:
    text = """
[settings]
recover.steps = 500
[settings.trainer]
batch_size = 32
[task_settings.sst2]
train_rows = 20_000
[[cells]]
tasks = ["sst2", "cola"]
methods = ["slim", "kwon"]
budgets = [0.1, 0.05]
[[cells]]
tasks = ["cola"]
methods = ["kwon"]
budgets = [0.1]
seeds = [0, 1]
"""
    cells = read_sweep(written(tmp_path, text))
    assert [cell.name for cell in cells] == [
        "sst2/slim-10",
        "cola/slim-10",
        "sst2/kwon-10",
        "cola/kwon-10",
        "sst2/slim-5",
        "cola/slim-5",
        "sst2/kwon-5",
        "cola/kwon-5",
        "cola/kwon-10-seed1",
    ]
    assert cells[0].budget == Budget("total_density", 0.1)
    for cell in cells:
        settings = cell.settings
        assert (settings.recover.steps, settings.trainer.batch_size) == (500, 32)
        assert settings.train_rows == (20_000 if cell.task == "sst2" else 0)
        assert settings.budgets == (cell.budget.value,)
        assert (settings.seed, settings.ship, settings.ablation_rows) == (0, (), 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[cells]", "sweep.toml: is not TOML"),
        ("", "cells.*missing|missing.*cells|required field cells"),
        (CELLS.replace("sst2", "sst3"), "sweep sweep.toml: cells\\[0\\]: task 'sst3': expected one of cola, "),
        (CELLS.replace("slim", "slender"), "method 'slender': expected one of slim, slimbert, "),
        (CELLS.replace("0.1", "1.5"), "budgets"),
        (CELLS.replace("budgets", "budget"), "budget"),
        (f"[settings]\nrecover.stepz = 4\n{CELLS}", "setting 'recover.stepz': unknown"),
        (f"[settings]\nrecover.steps = -4\n{CELLS}", r"recover.steps -4: expected int >= 0"),
        (f"[settings]\nbudgets = [0.1]\n{CELLS}", "settings name budgets, which the cells settle"),
        (f'[settings]\nmethod = "kwon"\n{CELLS}', "settings name method, which the cells settle"),
        (
            CELLS.replace("slim", "quantised"),
            r"cells\[0\]: method quantised: removes no parameter, expected a budget of 1",
        ),
        (f"[task_settings.cola]\nseed = 1\n{CELLS}", "task_settings of 'cola', expected a task that some cells have"),
    ],
)
def test_what_no_sweep_can_be_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_sweep(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory, expected a TOML file"):
        read_sweep(tmp_path / "none.toml")


def test_the_sweep_that_ships_has_every_method_at_every_budget() -> None:
    cells = read_sweep(ROOT / "benchmarks" / "rivals.toml")
    own_seed = {(cell.task, cell.method, cell.budget.name) for cell in cells if cell.seed == 0}
    assert own_seed == {
        (task, method, budget)
        for task in ("sst2", "cola", "mrpc", "stsb")
        for method in METHODS
        for budget in (("100",) if METHODS[method].keeps_all else ("50", "25", "10", "5"))
    }
    seeds = {(cell.method, cell.budget.name) for cell in cells if cell.seed}
    closest = {(method, "10") for method in ("slim", "kwon", "random", "small-dense", "obert")}
    assert seeds == closest | {("slim", "5"), ("kwon", "5")}
    assert {cell.settings.recover.steps for cell in cells} == {500}
