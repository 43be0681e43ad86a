from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import PHONE, overflow, settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_study_is_checked_and_taken_along(visit: Callable[..., Page], studies_folder: Path) -> None:
    page = visit("/study?study=demo-mrpc&stage=slim", theme="dark")
    wait_for_parameter(page, "budget", "10")
    steps = page.evaluate("() => history.length")
    assert page.locator("[data-testid=stVegaLiteChart]").count() == 2
    page.get_by_role("button", name="Compute the checksums again").click()
    page.wait_for_selector("text=files are what was stored")
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="study.json").click()
    stored = json.loads((studies_folder / "demo-mrpc" / "study.json").read_text())
    assert json.loads(Path(download.value.path()).read_text()) == stored
    assert download.value.suggested_filename == "demo-mrpc-study.json"
    assert page.evaluate("() => history.length") == steps
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    settle(page)
    assert overflow(page) <= 0
