"""How many threads a run computes with, chosen on Live."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimviz.pages import live as live_page
from tests.slimviz.pages.live_runs import measure

pytestmark = pytest.mark.usefixtures("quick_runs")
BOX = "Threads"


def said(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def boxes(page: AppTest) -> list:
    return [box for box in page.selectbox if box.label == BOX]


def on_the_probe_set(page: AppTest, threads: int) -> AppTest:
    next(radio for radio in page.radio if radio.label == "Data").set_value("probe")
    boxes(page)[0].set_value(threads)
    return measure(page)


@pytest.mark.parametrize(("runtime", "title"), [("torch", "torch"), ("onnx", "ONNX Runtime")])
def test_a_run_takes_the_threads_that_were_chosen(
    open_page: Callable[..., AppTest],
    tiny_folder: Path,
    threads_here: Callable[[int], None],
    runtime: str,
    title: str,
) -> None:
    threads_here(3)
    page = open_page("live", tiny_folder, study="sst2", runtime=runtime)
    assert not page.exception
    assert boxes(page)[0].options == ["1", "2", "3 (all)"]
    assert boxes(page)[0].value == 3
    page = on_the_probe_set(page, 1)
    assert not page.exception
    assert not page.error
    assert f"A batch (CPU, {title}, 1 thread, batch 1, the real texts" in said(page)
    page = page.run()
    assert boxes(page)[0].value == 1
    page = measure(boxes(page)[0].set_value(2).run())
    assert f"A batch (CPU, {title}, 2 threads, batch 1, the real texts" in said(page)
    page = boxes(page)[0].set_value(3).run()
    assert f"A batch (CPU, {title}, 2 threads, batch 1, the real texts" in said(page)  # the run's, not the page's
    runs = page.session_state[live_page.RUNS]
    assert [[row["threads"] for row in rows] for rows in runs] == [[1, 1], [2, 2]]
    assert list(page.dataframe[1].value["threads"]) == [1, 1, 2, 2]  # as it is downloaded


def test_where_there_is_one_thread_there_is_no_choice(
    open_page: Callable[..., AppTest], tiny_folder: Path, threads_here: Callable[[int], None]
) -> None:
    threads_here(1)
    page = open_page("live", tiny_folder, study="sst2")
    assert not page.exception
    assert boxes(page) == []


def test_on_another_device_there_is_no_choice(
    open_page: Callable[..., AppTest],
    tiny_folder: Path,
    threads_here: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pruning.measure.devices import DeviceInfo

    found = [DeviceInfo("cpu", "CPU (made up)", True), DeviceInfo("cuda", "GPU (made up)", True)]
    monkeypatch.setattr("slimviz.pages.live.devices", lambda: found)
    threads_here(2)
    page = open_page("live", tiny_folder, study="sst2")
    assert boxes(page)[0].options == ["1", "2 (all)"]
    next(radio for radio in page.radio if radio.label == "Device").set_value("cuda").run()
    assert not page.exception
    assert boxes(page) == []
