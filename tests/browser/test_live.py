from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PHONE, overflow, pick, settle
from tests.factories.own_study import ELSEWHERE, own_task, write_own_study
from tests.factories.tiny_study import probe_rows, write_tiny_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MAIN = "[data-testid=stMain]"
MANY = 60_000  # examples: more than even tiny networks answer before a person can stop them


@pytest.fixture(scope="module")
def live_server(browser: Browser, start_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dashboard on a study whose networks load, and on a folder with made-up validation examples."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_study(folder, name="tiny-sst2")
    write_own_study(folder, own_task(), name="own-reviews")
    glue = tmp_path_factory.mktemp("glue")
    rows = "".join(f"{row['sentence']}\t{row['label']}\n" for row in probe_rows("sst2", MANY))
    (glue / "SST-2").mkdir()
    (glue / "SST-2" / "dev.tsv").write_text(f"sentence\tlabel\n{rows}")
    named = {"SLIMVIZ_GLUE": str(glue), "SLIMVIZ_BACKBONES": str(folder / ELSEWHERE)}
    return start_server(folder, OMP_NUM_THREADS="2", **named)


def on_the_probe_set(page: Page) -> None:
    page.get_by_text("Probe set, written for this project").click()
    page.get_by_role("radio", name="32", exact=True).click()  # few batches: the machine may be busy with other things


def measure(page: Page) -> None:
    page.get_by_role("button", name="Measure now").click()


def test_a_run_on_the_probe_set_shows_counts_interval_and_speed(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/live?study=tiny-sst2", base=live_server)
    on_the_probe_set(page)
    pick(page, "Threads", "1")
    measure(page)
    page.wait_for_selector("text=Latest run: SST-2 (tiny-sst2)")
    settle(page)
    words = page.inner_text(MAIN)
    assert "the probe set (written for this project)" in words
    assert re.search(r"\(\d+/\d+ right\)", words)
    assert "95% interval" in words
    assert "A batch (CPU, torch, 1 thread, batch 32, the real texts" in words
    assert "batches timed" in words
    assert "Not available here" in words
    page.get_by_text("All runs of this session (1)").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="All runs as JSON").click()
    (teacher, slim) = json.loads(Path(started.value.path()).read_text())[0]
    assert (teacher["network"], teacher["status"]) == ("teacher", "complete")
    assert slim["examples"] == teacher["examples"] >= 128
    assert teacher["threads"] == slim["threads"] == 1
    with page.expect_download() as started:
        # A table's own toolbar offers a button of the same name.
        page.get_by_test_id("stDownloadButton").filter(has_text="All runs as CSV").click()
    lines = Path(started.value.path()).read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("run,study,title,task,network,status")


def test_a_run_can_be_stopped_while_another_visitor_is_answered(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/live?study=tiny-sst2", base=live_server)
    pick(page, "Examples", "all")
    measure(page)
    page.wait_for_selector("text=examples answered by both networks")
    other = visit("/play?study=tiny-sst2", base=live_server)
    other.locator("textarea").fill("a warm dog")
    other.get_by_role("button", name="Ask both networks").click()
    other.wait_for_selector("text=“a warm dog”")
    assert page.locator("text=Latest run").count() == 0  # still at it
    page.locator(".st-key-live-stop button").click()
    page.wait_for_selector("text=Latest run: SST-2 (tiny-sst2), stopped early")
    settle(page)
    found = re.search(r"On ([0-9,]+) of 60,000 examples", page.inner_text(MAIN))
    assert found is not None
    assert 0 < int(found[1].replace(",", "")) < MANY
    assert page.locator(".st-key-live-stop").count() == 0


def test_a_run_goes_on_while_its_visitor_looks_at_other_pages(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/live?study=tiny-sst2", base=live_server)
    pick(page, "Examples", "all")
    measure(page)
    page.wait_for_selector("text=examples answered by both networks")
    assert page.get_by_role("button", name="Stop").count() == 1  # not Streamlit's own beside it
    page.get_by_role("link", name="Overview").click()
    page.wait_for_selector("text=What survived, and was it worth it?")
    settle(page)
    page.get_by_role("link", name="Live").click()
    page.locator(".st-key-live-stop button").click()
    page.wait_for_selector("text=Latest run: SST-2 (tiny-sst2), stopped early")


def test_it_fits_on_a_phone(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/live?study=tiny-sst2", base=live_server, size=PHONE, theme="dark")
    on_the_probe_set(page)
    measure(page)
    page.wait_for_selector("text=Latest run")
    settle(page)
    assert overflow(page) <= 0


def test_a_file_is_uploaded_its_columns_chosen_and_its_texts_answered(
    visit: Callable[..., Page], live_server: str
) -> None:
    page = visit("/live?study=own-reviews", base=live_server, size=PHONE)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    field = page.locator("[data-testid=stFileUploader] input[type=file]")
    field.set_input_files({"name": "broken.parquet", "mimeType": "", "buffer": b"PAR1"})
    page.wait_for_selector("text=broken.parquet: is not parquet")
    markup = "<img src=x onerror=alert(1)>"
    long = 4_000 * " film"  # 64 of them: more than a web server keeps in memory by itself
    rows = "".join(f"{markup} good {number}{long},{('meh', 'great_stuff')[number % 2]}\n" for number in range(64))
    content = f"texts,{markup}\n{rows}".encode()
    field.set_input_files({"name": f"{markup}.csv", "mimeType": "text/csv", "buffer": content})
    page.wait_for_selector("text=Column of the labels")
    page.get_by_role("radio", name="32", exact=True).click()
    measure(page)
    page.wait_for_selector("text=Latest run: mine (own-reviews)")
    settle(page)
    words = page.inner_text(MAIN)
    assert f"On 64 examples of your file {markup}.csv, without labels: the slim network" in words.replace("\u2060", "")
    assert re.search(r"gives the teacher's answer to \d+\.\d% \(\d+/64\)", words)
    pick(page, "Column of the labels", markup)
    settle(page)
    measure(page)
    page.wait_for_selector("text=Labels aside, slim gives the teacher's answer")
    settle(page)
    assert re.search(r"accuracy \(\d+/64 right\)", page.inner_text(MAIN))
    assert overflow(page) <= 0
    assert not dialogs
