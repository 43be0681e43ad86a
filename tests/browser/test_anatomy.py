from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.browser.conftest import PHONE, overflow, settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_both_charts_are_on_the_first_screen_and_a_choice_is_one_step(visit: Callable[..., Page]) -> None:
    page = visit("/anatomy?study=demo-sst2", theme="dark")
    wait_for_parameter(page, "length", "32")
    charts = [chart.bounding_box() for chart in page.locator("[data-testid=stVegaLiteChart]").all()]
    assert len(charts) == 2
    assert all(chart and chart["y"] + chart["height"] <= 720 for chart in charts)
    steps = page.evaluate("() => history.length")
    page.get_by_role("radio", name="128", exact=True).click()
    wait_for_parameter(page, "length", "128")
    settle(page)
    assert page.evaluate("() => history.length") == steps + 1
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    settle(page)
    assert overflow(page) <= 0
