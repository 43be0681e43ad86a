from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pruning.data.tasks import get_task
from pruning.study import read_study
from slimviz.pages.anatomy import RUNNING
from tests.factories.own_study import own_task, write_own_study
from tests.factories.study_document import edit
from tests.factories.synthetic_study import bert_shape, write_study
from tests.slimviz.pages.live_runs import PATIENCE
from tests.slimviz.pages.test_odd_studies import only_a_teacher
from tests.slimviz.pages.test_study_page import said


def measured(page: AppTest) -> AppTest:
    next(button for button in page.button if button.label == "Measure here").click()
    page = page.run()
    assert not page.exception
    if RUNNING in page.session_state:
        assert page.session_state[RUNNING].wait(PATIENCE)
        page = page.run()
    return page


def test_costs_follow_length_and_batch(open_page: Callable[..., AppTest]) -> None:
    page = open_page("anatomy", study="mnli", budget="25")  # three labels
    assert not page.exception
    assert not page.error
    assert not page.warning
    before = {metric.label: metric.value for metric in page.metric}
    assert list(before) == ["Parameters", "Weights in memory", "FLOPs", "Peak memory, measured"]
    assert len(page.get("vega_lite_chart")) == 2
    assert "Not measured in this session" in said(page)
    next(control for control in page.segmented_control if control.label == "Texts at once").set_value("32")
    page = page.run()
    after = {metric.label: metric.value for metric in page.metric}
    assert page.query_params["batch"] in ("32", ["32"])
    assert after["FLOPs"] != before["FLOPs"]
    assert after["Parameters"] == before["Parameters"]
    page = open_page("anatomy", study="sst2", length="4096")
    assert 'Unknown length "4096"' in page.warning[0].value


def test_layers_pruned_to_nothing_and_a_teacher_alone(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    shape = bert_shape(get_task("sst2"), layers=6, heads=2, head_size=16, ffn=64)
    folder = write_study(tmp_path, "sst2", shape=shape, budgets=("1.037",), shipped=())
    assert all(layer.heads == layer.ffn == 0 for layer in read_study(folder).selections["1.037"].network.layers)
    page = open_page("anatomy", tmp_path)
    assert not page.exception
    assert not page.error
    edit(folder, only_a_teacher)
    page = open_page("anatomy", tmp_path)
    assert not page.exception
    assert "this is its teacher alone" in said(page)
    assert page.metric[0].value == page.metric[0].value.split(" → ")[0]


@pytest.mark.usefixtures("no_network_cached")
def test_components_are_measured_on_a_click(
    open_page: Callable[..., AppTest], tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimviz.live.components.SPEED_ROUNDS", 5)
    page = measured(open_page("anatomy", tiny_folder, study="sst2", length="16"))
    words = said(page)
    assert "5 rounds in turns, 1 text of 16 tokens), the teacher takes" in words
    assert "Sum of the components: the teacher" in words
    assert len(page.get("vega_lite_chart")) == 3
    assert page.dataframe[-1].value["Component"].iloc[-1] == "Whole pass, no clocks inside"
    monkeypatch.setattr("slimviz.live.components.SPEED_ROUNDS", 2)
    page = measured(page)
    assert "Too few rounds for milliseconds (2)" in said(page)
    assert len(page.get("vega_lite_chart")) == 2
    next(control for control in page.segmented_control if control.label == "Texts at once").set_value("8")
    assert "What was measured last is of sst2: the teacher and" in said(page.run())
    monkeypatch.setattr("slimviz.live.components.SPEED_ROUNDS", 5)
    monkeypatch.delenv("SLIMVIZ_BACKBONES", raising=False)
    write_own_study(tmp_path, own_task("sst2"), like="sst2")  # its teacher is not here
    words = said(measured(open_page("anatomy", tmp_path, study="mine", length="16")))
    assert "which is not on this machine" in words
    assert "tokens), the slim network at 50% takes" in words
