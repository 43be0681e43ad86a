from __future__ import annotations

import re
from pathlib import Path

import pytest

from pruning.bert.shapes import Site
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.study import Study, load_factors, read_study
from pruning.variants import slim
from slimviz.report import Contents, report
from slimviz.theme import score_text
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study


def contents(study: Study, budget: str = "10") -> Contents:
    factors, record = load_factors(study), study.selections[budget]
    chosen = select(factors, Budget("total_density", int(budget) / 100), record.settings, record.criterion)
    return Contents(study.name, study, budget, chosen, factors)


@pytest.fixture(scope="module")
def page(studies: dict[str, Study]) -> str:
    return report(contents(studies["sst2"]))


def test_it_needs_no_network_no_script_and_no_server(page: str) -> None:
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#)""", page.replace("xlink:", ""))


def test_it_holds_every_budget_the_pictures_origin_and_limits(page: str, studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    for budget in study.selections:
        result = study.result(slim(budget))
        assert result is None or score_text(result.metrics["accuracy"]) in page
    assert page.count("<svg") == 3  # by layer, by sub-layer, heads
    assert study.document.provenance.command in page
    assert all(path in page for path in study.document.files)
    assert "Where this ends" in page
    assert str(study.folder) not in page  # nobody else has that folder


def test_equal_studies_give_equal_pages(page: str, studies: dict[str, Study]) -> None:
    assert report(contents(studies["sst2"])) == page


@pytest.mark.parametrize("task", ["stsb", "mnli"])
def test_regressions_and_three_classes(task: str, studies: dict[str, Study]) -> None:
    assert studies[task].task.title in report(contents(studies[task]))


def test_text_of_a_study_is_text(tmp_path: Path) -> None:
    hostile = "python <script>alert(1)</script>"
    folder = write_study(tmp_path, "cola", alpha_sites=(Site.FFN_HIDDEN,))
    edit(folder, lambda document: document["provenance"].update(command=hostile))
    page = report(contents(read_study(folder)))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "No stored criterion ranks attention heads." in page
