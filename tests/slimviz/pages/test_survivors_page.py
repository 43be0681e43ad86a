from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pruning.bert.shapes import BertShape
from pruning.data.tasks import get_task
from pruning.selection.latency import LatencyTable
from pruning.study import Study
from slimviz.charts.density_scale import density_marks, density_options, round_up
from slimviz.live.time_limit import Measured
from tests.factories.study_document import made_by
from tests.factories.synthetic_study import bert_shape, write_study


def markdown(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def test_at_a_stored_budget_it_says_that_the_masks_are_the_shipped_ones(open_page: Callable[..., AppTest]) -> None:
    page = open_page("survivors", study="sst2", budget="10")
    assert not page.exception
    assert not page.error
    assert "Equal to the shipped masks of the slim network at 10%: all 16,512 units agree" in markdown(page)
    assert [metric.label for metric in page.metric] == [
        "Total density",
        "Encoder density",
        "Word table",
        "FLOPs",
        "Heads",
    ]
    assert "units open to cutting (attention context and FFN hidden) are left" in markdown(page).replace("\\", "")


def test_budgets_without_weights_are_stored_masks(open_page: Callable[..., AppTest]) -> None:
    page = open_page("survivors", study="sst2", budget="25")
    assert "Equal to the stored masks at 25%" in markdown(page)


def test_the_slider_runs_the_selection_again(open_page: Callable[..., AppTest]) -> None:
    page = open_page("survivors", study="sst2")
    before = [metric.value for metric in page.metric]
    page.select_slider[0].set_value("3").run()
    assert not page.exception
    assert page.query_params["density"] in ("3", ["3"])
    assert "not a trained network" in markdown(page)
    assert [metric.value for metric in page.metric] != before
    stored = next(control for control in page.segmented_control if control.label == "Stored budgets")
    assert stored.value in (None, [])
    stored.set_value("5").run()
    assert "Equal to the stored masks at 5%" in markdown(page)
    assert page.query_params["budget"] in ("5", ["5"])


def test_a_rivals_choice_is_shown_as_it_is_stored(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    """No slider: nothing between the budgets is the rival's; and one step leads to the same task's other study."""
    write_study(tmp_path, "sst2")
    made_by(write_study(tmp_path, "sst2", name="sst2-kwon"), "kwon")
    page = open_page("survivors", tmp_path, study="sst2-kwon", density="7")
    assert not page.exception
    assert not page.select_slider
    assert "As Fisher, rearranged, least squares (Kwon et al.) chose them at 10%" in markdown(page).replace("\\", "")
    assert "coloured against their fate: another method chose them." in markdown(page).replace("\\", "")
    assert [warning.value for warning in page.warning if "7" in warning.value]
    (method,) = (box for box in page.selectbox if box.label == "Method: what chose the units")
    assert method.options == ["SlimViz", "Fisher, rearranged, least squares (Kwon et al.)"]
    assert method.value == "kwon"
    page = method.select("slim").run()
    assert page.query_params["study"] in ("sst2", ["sst2"])
    assert page.select_slider
    assert "Equal to the shipped masks" in markdown(page)


def test_one_method_is_no_choice(open_page: Callable[..., AppTest]) -> None:
    assert not [box for box in open_page("survivors", study="sst2").selectbox if box.label.startswith("Method")]


@pytest.mark.parametrize("density", ["0.0001", "1000", "ten", ""])
def test_impossible_densities_fall_back(
    open_page: Callable[..., AppTest], studies: dict[str, Study], density: str
) -> None:
    page = open_page("survivors", study="sst2", density=density)
    assert not page.exception
    assert len(page.warning) == 1
    lowest = round_up(100 * studies["sst2"].document.smallest_total_density)
    assert f"expected a number from {lowest:g} to 100" in page.warning[0].value
    assert "Equal to the shipped masks" in markdown(page)


@pytest.mark.parametrize("density", ["0.049", "0.05", "0.1", "7.31", "100"])
def test_any_reachable_density_is_drawn(open_page: Callable[..., AppTest], density: str) -> None:
    page = open_page("survivors", study="sst2", density=density)
    assert not page.exception
    assert not page.error
    assert not page.warning
    assert len(page.get("vega_lite_chart")) == 3
    assert len(page.get("plotly_chart")) == 1


def test_layer_and_order_come_from_the_url(open_page: Callable[..., AppTest]) -> None:
    page = open_page("survivors", study="sst2", layer="5", order="place")
    assert "Every unit of layer 5" in [element.value for element in page.subheader]
    page = open_page("survivors", study="sst2", layer="9")
    assert 'Unknown layer "9"' in page.warning[0].value


def test_deep_networks_choose_their_layer_from_a_list(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    deep = bert_shape(get_task("sst2"), layers=24, heads=16, head_size=8, ffn=256)
    write_study(tmp_path, "sst2", shape=deep, budgets=("50", "25"))
    page = open_page("survivors", tmp_path, layer="24")
    assert not page.exception
    assert [box.label for box in page.selectbox] == ["Study", "Layer", "Chart"]
    assert "Every unit of layer 24" in [element.value for element in page.subheader]


def test_slider_steps_are_fine_where_densities_are_small() -> None:
    options = density_options(0.049, {"50": 49.9, "25": 25, "10": 9.99, "5": 5, "2.5": 2.5, "flops-25": 31.4})
    place = options.index("flops-25")
    assert float(options[place - 1]) < 31.4 < float(options[place + 1])
    values = [float(option) for option in options if option != "flops-25"]
    assert values == sorted(set(values))
    assert values[0] == 0.049
    assert values[-1] == 100
    assert {"50", "25", "10", "5", "2.5"} <= set(options)
    ratios = [after / before for before, after in itertools.pairwise(values)]
    assert max(ratios) < 1.13


@pytest.mark.parametrize(("percent", "expected"), [(0.04829, 0.049), (1.0, 1.0), (12.01, 13.0), (0.1, 0.1)])
def test_the_smallest_density_is_rounded_up(percent: float, expected: float) -> None:
    assert round_up(percent) == expected


def test_ticks_below_the_slider_are_the_stored_budgets_with_their_scores(
    open_page: Callable[..., AppTest], studies: dict[str, Study]
) -> None:
    options = ["0.05", "1", "5", "10", "25", "50", "100"]
    marks = density_marks(options, studies["sst2"])
    assert list(marks) == [0, 2, 3, 4, 5, 6]
    assert marks[0] == "smallest: 0.05%"
    assert marks[3] == "10%: 0.889"
    assert marks[6] == "teacher: 0.905"
    bodies = "".join(element.proto.body for element in open_page("survivors", study="sst2").get("html"))
    assert "10%: 0.889" in bodies
    assert "smallest: 0.0" in bodies


def test_only_what_can_be_cut_is_drawn_and_the_word_table_is_half(open_page: Callable[..., AppTest]) -> None:
    page = open_page("survivors", study="sst2")
    charts = "".join(chart.proto.spec for chart in page.get("vega_lite_chart"))
    strip = page.get("plotly_chart")[0].proto.spec
    for drawn in (charts, strip):
        assert "FFN hidden" in drawn
        assert "FFN input" not in drawn
        assert "Attention input" not in drawn
    bodies = "".join(element.proto.body for element in page.get("html"))
    assert "attention reads</b>" in bodies
    assert bodies.count(">whole</span>") == 2  # both reads, in the picture of a layer
    (share,) = [metric.value for metric in page.metric if metric.label == "Word table"]
    assert 40 <= int(share.removesuffix("%")) <= 60
    assert "of 30,522 pieces, rank " in "".join(element.value for element in page.caption)


def test_a_time_limit_is_counted_once_the_machine_is_measured(
    open_page: Callable[..., AppTest], studies: dict[str, Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = studies["sst2"].shape
    table = LatencyTable((0, shape.heads), (0.0, 2.0), (0, shape.ffn), (0.0, 4.0), 1.0, batch=1, length=32)
    asked = []

    def measured(shape: BertShape, batch: int) -> Measured:
        asked.append(batch)
        return Measured(table, {"is_busy": True, "others_cores": 1.5})

    monkeypatch.setattr("slimviz.widgets.time_limit.measured_here", measured)
    page = open_page("survivors", study="sst2")
    assert "It takes some seconds" in "\n".join(element.value for element in page.caption)
    button = next(button for button in page.button if button.label == "Measure this machine")
    button.click().run()
    assert asked == [1]
    assert "Within" not in markdown(page)
    said = markdown(page).replace("\\", "")
    assert "the teacher takes about 37 ms here, so 2 ms are 5.4% of that" in said
    assert any("other programs kept 1.5 of its cores" in warning.value for warning in page.warning)
    assert page.code[-1].value == "python -m pruning run --task sst2 --budget-ms 2 --batch 1"
    page.number_input[0].set_value(50.0).run()
    assert any("The teacher itself takes 37 ms here" in info.value.replace("\\", "") for info in page.info)
    assert asked == [1]  # not measured again
    assert not page.exception
