from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pruning.bert.shapes import Site
from slimviz.theme import LIGHT
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study


def markdown(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown).replace("\\", "")


def specs(page: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in page.get("vega_lite_chart")]


def test_one_map_a_study_on_one_scale(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads")
    assert not page.exception
    assert not page.error
    maps = [spec for spec in specs(page) if "head_click" in json.dumps(spec)]
    assert len(maps) == 6  # task DNA, four studies and the difference of two
    scales = [spec["layer"][0]["encoding"]["color"]["scale"] for spec in maps[1:5]]
    assert all(scale == scales[0] for scale in scales)
    assert "heads survive in every task shown" in markdown(page)
    assert [element.value for element in page.subheader] == [
        "Difference of two tasks",
        "How alike the tasks are",
        "Does the map tell the truth?",
    ]


def test_backbones_never_share_a_map(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads")
    assert page.multiselect[0].value == ["cola", "mrpc", "sst2", "stsb"]
    page.selectbox[0].select("synthetic-wide (12 × 12 heads of 16)").run()
    assert not page.exception
    assert page.multiselect[0].value == ["mnli"]
    assert "once two studies of the same backbone are shown" in page.info[0].value
    page = open_page("heads", study="mnli")
    assert page.multiselect[0].value == ["mnli"]


def test_a_head_in_the_url_has_its_card(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads", head="3-7")
    assert not page.exception
    assert page.subheader[0].value == "Layer 3, head 7"
    card = page.table[0].value
    assert list(card["Task"]) == ["CoLA", "MRPC", "SST\\-2", "STS\\-B"]
    assert set(card["Fate"]) <= {"kept", "cut"}
    links = page.get("page_link")
    assert {link.proto.page for link in links} == {"play"}
    assert all("head=3-7" in link.proto.query_string for link in links)


def test_the_card_says_what_it_is_for_before_a_head_is_chosen(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads")
    assert "Click a head, or choose one above" in markdown(page)
    assert not page.get("page_link")


def test_heads_lead_to_networks_that_are_there(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path, "sst2", shipped=("10",))
    write_study(tmp_path, "cola", shipped=())
    (link,) = open_page("heads", tmp_path, head="3-7", budget="25").get("page_link")
    assert link.proto.label == "SST\\-2"
    assert "budget=10" in link.proto.query_string


def test_heads_can_be_chosen_without_a_mouse(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads")
    box = next(box for box in page.selectbox if box.label.startswith("Head"))
    box.select("1-2").run()
    assert page.subheader[0].value == "Layer 1, head 2"
    assert page.query_params["head"] in ("1-2", ["1-2"])


def test_criterion_changes_the_maps(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads", criterion="head_gradient")
    assert not page.exception
    assert "Head gradient" in "\n".join(element.value for element in page.caption)


def test_maps_say_whether_they_are_true(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    measured = {
        "network": "teacher",
        "split": "validation",
        "rows": 400,
        "sha256": "0" * 64,
        "seed": 0,
        "precision": "bfloat16",
        "metric": "accuracy",
        "floor": 0.5,
        "gated": list(range(0, 73, 6)),
        "curves": {"head_gradient": {"least_first": [0.9] * 6 + [0.89] + [0.5] * 6, "most_first": [0.9] + [0.5] * 12}},
        "random": [[0.9] * 3 + [0.6] * 9 + [0.5]],
    }
    edit(write_study(tmp_path, "sst2"), lambda document: document.update(ablations=[measured]))
    write_study(tmp_path, "cola")
    page = open_page("heads", tmp_path, criterion="head_gradient")
    assert not page.exception
    (said,) = [element.value for element in page.caption if element.value.startswith("Is it true?")]
    assert "keeps 98% of what it has above its floor" in said
    curves = specs(page)[-1]
    assert {"supports", "opposes"} == {
        name for name in ("supports", "opposes") if getattr(LIGHT, name) in json.dumps(curves)
    }
    assert "accuracy by heads off" in page.get("vega_lite_chart")[-1].proto.alt.lower()
    page = open_page("heads", tmp_path, criterion="taylor")
    assert not [element.value for element in page.caption if element.value.startswith("Is it true?")]


def test_task_dna_shows_what_one_task_alone_keeps(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads", kept="one")
    assert not page.exception
    drawn = page.get("vega_lite_chart")[0].proto
    assert drawn.alt.startswith("By how many tasks each head is kept. Kept by one task alone")
    assert "kept_by" in drawn.spec
    assert any("Kept by one task alone (layer-head):" in element.value.replace("\\", "") for element in page.caption)
    one = open_page("heads", studies="sst2")
    assert not [spec for spec in specs(one) if "kept_by" in json.dumps(spec)]  # one task has nothing to share


def test_unknown_parameters_are_said(open_page: Callable[..., AppTest]) -> None:
    page = open_page(
        "heads", head="99-1", criterion="luck", studies="sst2,nope", backbone="gpt", first="nope", budget="33"
    )
    assert not page.exception
    said = "\n".join(warning.value for warning in page.warning)
    for what in ("Unknown head", "Unknown criterion", "Unknown study", "Unknown backbone", "Unknown budget"):
        assert what in said
    assert page.multiselect[0].value == ["sst2"]


def test_a_study_without_this_budget_is_left_out(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path, "sst2")
    write_study(tmp_path, "cola", budgets=("10",))
    write_study(tmp_path, "rte", budgets=("10", "5"))
    page = open_page("heads", tmp_path, budget="5")
    assert not page.exception
    assert [warning.value for warning in page.warning] == ["CoLA has no masks at 5%, so it is left out."]
    assert "Difference of two tasks" in [element.value for element in page.subheader]


def test_the_maps_have_a_table_twin(open_page: Callable[..., AppTest]) -> None:
    page = open_page("heads", studies="sst2")
    table = page.dataframe[0].value
    assert len(table) == 72
    assert list(table.columns) == ["Task", "Layer", "Head", "Rank", "Importance", "Fate", "Units kept"]


@pytest.mark.parametrize("path", ["heads", "survivors"])
def test_every_chart_can_be_downloaded(open_page: Callable[..., AppTest], path: str) -> None:
    page = open_page(path, studies="cola,sst2")
    assert not page.exception
    (chosen,) = [box for box in page.selectbox if box.label == "Chart"]
    legends = sum(
        "importance" in chart.proto.alt or "Colours" in chart.proto.alt for chart in page.get("vega_lite_chart")
    )
    assert len(chosen.options) == len(page.get("vega_lite_chart")) - legends
    assert [button.proto.label for button in page.get("download_button")] == ["PNG", "SVG", "HTML", "CSV"]
    chosen.select(chosen.options[-1]).run()
    assert not page.exception


def test_studies_without_factors_of_heads_are_said(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    for task in ("sst2", "cola"):
        write_study(tmp_path, task, alpha_sites=(Site.FFN_HIDDEN,))
    page = open_page("heads", tmp_path)
    assert not page.exception
    assert "share no criterion" in page.info[0].value
    survivors = open_page("survivors", tmp_path)
    assert not survivors.exception
    assert not survivors.error
    assert "Equal to the shipped masks" in "".join(element.value for element in survivors.markdown)
