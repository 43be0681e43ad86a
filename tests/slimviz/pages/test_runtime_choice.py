"""What networks compute with, chosen on Live and on Playground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimviz.live import runtimes
from slimviz.pages import live as live_page
from tests.slimviz.pages.live_runs import measure

pytestmark = pytest.mark.usefixtures("quick_runs")
TITLES = ["torch", "ONNX Runtime", "ONNX Runtime int8"]


def said(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "").replace("\u2060", "")


def runtime(page: AppTest):
    return next(radio for radio in page.radio if radio.label == "Runtime")


def test_live_runs_both_networks_in_the_runtime_of_the_url(
    open_page: Callable[..., AppTest], tiny_folder: Path
) -> None:
    page = open_page("live", tiny_folder, study="sst2", runtime="onnx-int8")
    assert not page.exception
    assert runtime(page).options == TITLES
    next(radio for radio in page.radio if radio.label == "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert not page.error
    words = said(page)
    assert "On 32 examples of the probe set (written for this project), in ONNX Runtime int8: the teacher" in words
    assert "A batch (CPU, ONNX Runtime int8, " in words
    (rows,) = page.session_state[live_page.RUNS]
    assert [row["runtime"] for row in rows] == ["onnx-int8", "onnx-int8"]
    assert not page.warning


def test_playground_answers_by_the_exported_network(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2")
    assert "(median of" not in said(page) or "on the CPU, torch, " in said(page)
    assert "are computed in torch" not in said(page)
    runtime(page).set_value("onnx").run()
    assert not page.exception
    assert page.query_params["runtime"] == "onnx"
    assert "What words add, what heads look at, and heads cut by hand are computed in torch." in said(page)
    assert "(median of" not in said(page) or "on the CPU, ONNX Runtime, " in said(page)


def test_where_it_is_not_installed_the_page_says_how(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "find_spec", lambda package: None)
    page = open_page("live", tiny_folder, study="sst2", runtime="onnx")
    assert not page.exception
    assert runtime(page).options == ["torch"]
    assert [warning.value.replace("\\", "").replace("\u2060", "") for warning in page.warning] == [
        "ONNX Runtime is not installed here: pip install -r requirements-onnx.txt; showing torch."
    ]
    assert "ONNX Runtime is not installed here: pip install -r requirements-onnx.txt" in said(page)


def test_an_unknown_runtime_is_one_line(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("live", tiny_folder, study="sst2", runtime="<b>fast</b>")
    assert not page.exception
    assert "Unknown runtime" in said(page)
    assert page.query_params["runtime"] == "torch"
