from __future__ import annotations

from pathlib import Path

import pytest

from pruning.study import Study, read_study
from slimviz.frames.budgets import askable_budget, budgets, closest_budget, default_budget, shipped_budgets
from tests.factories.synthetic_study import write_study


def test_budgets_run_from_large_to_small(studies: dict[str, Study]) -> None:
    assert budgets(studies["sst2"]) == ["50", "25", "10", "5"]
    assert budgets() == []
    assert default_budget(["50", "25", "10", "5"]) == "10"
    assert default_budget(["50", "25"]) == "25"


def renamed(study: Study, **names: str) -> Study:
    """The study with other names for its budgets; their selections stay."""
    selections = {names.get(f"_{key}", key): selection for key, selection in study.selections.items()}
    return Study(study.folder, study.document.replace(selections=selections))


def test_budgets_of_any_kind_go_by_their_total_density(studies: dict[str, Study]) -> None:
    study = renamed(studies["sst2"], _25="flops-60", _5="latency-70")
    assert budgets(study) == ["50", "flops-60", "10", "latency-70"]
    both = budgets(study, studies["cola"])
    assert both[0] == "50"
    assert set(both[1:3]) == {"25", "flops-60"}
    assert both[3] == "10"
    assert set(both[4:]) == {"5", "latency-70"}
    assert default_budget(budgets(study)) == "10"


@pytest.mark.parametrize(("density", "closest"), [(1, "50"), (0.2, "flops-60"), (0.09, "10"), (0.001, "5")])
def test_the_closest_budget_is_the_smallest_factor_away(
    studies: dict[str, Study], density: float, closest: str
) -> None:
    assert closest_budget(renamed(studies["sst2"], _25="flops-60"), density) == closest


def test_the_budget_that_can_be_asked_is_the_closest_with_weights(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path, "sst2", budgets=("50", "25", "10"), shipped=("50", "10")))
    assert shipped_budgets(study) == ["50", "10"]
    assert [askable_budget(study, name) for name in ("50", "25", "10", "3")] == ["50", "50", "10", "10"]
    bare = read_study(write_study(tmp_path, "cola", shipped=()))
    assert askable_budget(bare, "10") is None
