"""Live on real, tiny networks: a run, its results, a stop, what is missing."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from pruning.study import read_study
from pruning.variants import TEACHER, slim
from slimviz.live.networks import load_network
from slimviz.live.run import LiveRun
from slimviz.pages import live as live_page
from tests.factories.study_document import edit
from tests.factories.tiny_study import BUDGET, write_tiny_study
from tests.slimviz.pages.live_runs import EXAMPLES, finished, measure, started, until_answered

BOTH = (TEACHER, slim(BUDGET))
pytestmark = pytest.mark.usefixtures("quick_runs")


def said(page: AppTest) -> str:
    kinds = (page.subheader, page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def radio(page: AppTest, label: str):
    return next(radio for radio in page.radio if radio.label == label)


def box(page: AppTest, label: str):
    return next(box for box in page.selectbox if box.label == label)


def test_before_a_run(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("live", tiny_folder, study="sst2")
    assert not page.exception
    assert [title.value for title in page.title] == ["How accurate and how fast, here, now?"]
    assert radio(page, "Device").value == "cpu"
    assert "Nothing has been measured in this session yet." in said(page)
    assert box(page, "Length timed (tokens)").options == ["real texts", "16", "32"]  # 64 is beyond this study's texts
    assert radio(page, "Data").options == [
        "GLUE validation, from the Hugging Face hub",
        "Probe set, written for this project",
        "A file of your own",
    ]


def test_devices_that_are_not_here_are_listed_with_the_reason(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure.devices import DeviceInfo

    found = [
        DeviceInfo("cpu", "CPU (made up)", True),
        DeviceInfo("cuda", "CUDA GPU", False, "no CUDA device was found"),
        DeviceInfo("mps", "Apple GPU", False, "no Apple GPU was found"),
    ]
    monkeypatch.setattr("slimviz.pages.live.devices", lambda: found)
    page = open_page("live", tiny_folder, study="sst2")
    assert radio(page, "Device").options == ["CPU (made up)"]
    missing = radio(page, "Not available here")
    assert missing.disabled
    assert missing.value is None
    assert missing.options == ["CUDA GPU", "Apple GPU"]
    assert list(missing.proto.captions) == ["no CUDA device was found", "no Apple GPU was found"]


def test_a_run_on_the_probe_set(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("live", tiny_folder, study="sst2")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert not page.error
    words = said(page)
    assert "Latest run: SST-2" in words
    assert "On 32 examples of the probe set (written for this project): the teacher reaches **0." in words
    assert "/32 right)**" in words
    assert "95% interval" in words
    assert "Always the most frequent answer would score 0.500." in words
    assert "batch 1, the real texts, 32 batches timed" in words
    assert "Stored with the study, accuracy on its whole validation split: the teacher 0." in words
    assert "learned from 1,000 of GLUE's 67,349 training rows, so it is not comparable" in words
    table = page.dataframe[0].value
    assert list(table["Network"]) == ["The teacher", f"The slim network ({BUDGET}%)"]
    assert all(cell.endswith(" ms") for cell in [*table["Median"], *table["95th percentile"]])
    assert [button.label for button in page.button if button.label == "Stop measuring"] == []  # gone once it is done


def test_results_stay_and_can_be_downloaded(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("live", tiny_folder, study="sst2")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    page.selectbox[0].select("stsb").run()
    radio(page, "Data").set_value("probe")
    box(page, "Length timed (tokens)").set_value(16)
    page = measure(page)
    assert not page.exception
    assert "All runs of this session (2)" in [expander.label for expander in page.expander]
    runs = page.session_state[live_page.RUNS]
    assert [[row["network"] for row in rows] for rows in runs] == [list(map(str, BOTH))] * 2
    frame = page.dataframe[1].value
    assert list(frame["study"]) == ["sst2", "sst2", "stsb", "stsb"]
    assert list(frame["run"]) == [1, 1, 2, 2]
    again = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert {"accuracy", "pearson", "low", "high", "median_ms", "p95_ms", "threads", "data"} <= set(again.columns)
    json.dumps(runs)
    labels = [element.proto.label for element in page.get("download_button")]
    assert labels == ["All runs as CSV", "All runs as JSON"]
    assert "Pearson" in said(page)
    assert "texts of 16 tokens" in said(page)


def test_where_the_hub_does_not_answer_the_probe_set_is_named(
    open_page: Callable[..., AppTest], tiny_folder: Path
) -> None:
    page = measure(open_page("live", tiny_folder, study="sst2"))
    assert not page.exception
    assert "The probe set takes its place." in said(page)
    assert "examples of the probe set (written for this project)" in said(page)


def test_where_there_are_no_examples_there_is_one_line(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("live", tiny_folder, study="mnli")
    assert box(page, "Split").options == ["validation matched", "validation mismatched"]
    page = measure(page)
    assert not page.exception
    assert "hub did not answer" in page.error[0].value
    assert live_page.RUNNING not in page.session_state


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch, quick_runs: None) -> None:
    """Runs of speed that end only when they are stopped."""
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 10**9)
    monkeypatch.setattr("slimviz.live.run.SPEED_SECONDS", 10**9)


def start_endless(page: AppTest) -> AppTest:
    radio(page, "Data").set_value("probe")
    box(page, "Length timed (tokens)").set_value(16)
    page = started(page)
    assert not page.exception
    until_answered(page, EXAMPLES)
    return page


@pytest.mark.usefixtures("endless")
def test_a_run_goes_on_while_its_visitor_looks_at_other_pages(
    open_page: Callable[..., AppTest], tiny_folder: Path
) -> None:
    from streamlit.util import calc_hash

    page = start_endless(open_page("live", tiny_folder, study="sst2"))
    running = page.session_state[live_page.RUNNING]
    assert next(button for button in page.button if button.label == "Measure now").disabled
    page._page_hash = calc_hash("heads")
    page = page.run()
    assert page.title[0].value.startswith("Which heads")
    assert not running.is_over
    page._page_hash = calc_hash("live")
    page = page.run()
    assert page.session_state[live_page.RUNNING] is running
    next(button for button in page.button if button.label == "Stop measuring").click()
    page = finished(page.run())
    assert not page.exception
    assert "Latest run: SST-2, stopped early" in said(page)
    assert "On 32 examples of the probe set" in said(page)
    assert live_page.RUNNING not in page.session_state
    assert len(page.run().session_state[live_page.RUNS]) == 1


def test_a_run_stopped_before_its_first_batch_leaves_nothing(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveRun, "steps", lambda run: iter(()))
    page = open_page("live", tiny_folder, study="sst2")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert "Nothing has been measured in this session yet." in said(page)


def test_a_busy_machine_is_said_and_what_is_stored_stands_beside(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimviz.live.others_at_work.OthersAtWork.cores", lambda _: 99.0)
    page = open_page("live", tiny_folder, study="sst2")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert "The machine was busy: other programs kept 99.0 of its cores at work meanwhile." in said(page)
    row = page.session_state[live_page.RUNS][0][1]
    assert row["speedup_low"] <= row["speedup"] <= row["speedup_high"]
    assert "95% interval" in said(page)


def test_teacher_missing(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    shutil.rmtree(write_tiny_study(tmp_path / "studies") / "teacher")
    page = open_page("live", tmp_path / "studies")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert "the slim network answers alone" in said(page)
    assert "95% interval" not in said(page)
    assert list(page.dataframe[0].value["Speed-up"]) == ["–"]


def test_damaged_weights_are_said_and_the_other_goes_on(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path / "studies")
    weights = folder / f"slim-{BUDGET}" / "model.safetensors"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    page = open_page("live", tmp_path / "studies")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert "cannot be loaded" in said(page)
    assert list(page.dataframe[0].value["Network"]) == ["The teacher"]


def test_a_task_of_one_s_own_is_timed_without_a_file(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path / "studies", name="mine")
    edit(folder, lambda document: document["task"].update(name="mine", title="Mine"))
    page = open_page("live", tmp_path / "studies")
    assert "Without a file, speed alone is measured, on made-up texts." in said(page)
    assert not any(radio.label == "Data" for radio in page.radio)
    assert "real texts" not in box(page, "Length timed (tokens)").options
    page = measure(page)
    assert not page.exception
    assert not page.error
    assert "texts of 16 tokens, 5 batches timed" in said(page)
    assert "Retention" not in page.dataframe[0].value.columns


def test_an_answer_that_is_no_number_is_one_line(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    import torch

    folder = write_tiny_study(tmp_path / "studies")
    network = load_network(read_study(folder), slim(BUDGET))
    with torch.no_grad():
        network.model.classifier.bias.fill_(float("nan"))
    page = open_page("live", tmp_path / "studies")
    radio(page, "Data").set_value("probe")
    page = measure(page)
    assert not page.exception
    assert "not finite" in page.error[0].value
    assert not page.run().exception
