from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import DESKTOP, PHONE, overflow, press, settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ADDRESS = "/tradeoffs?study=demo-sst2"


def network(page: Page, budget: str) -> Locator:
    """The point of the default method at a budget."""
    label = f"[aria-label*='budget: {budget};'][aria-label*='method: SlimViz;']"
    return page.locator(f".st-key-tradeoffs svg.marks path[aria-roledescription='point']{label}").last


def test_two_clicked_networks_have_their_difference_beside_the_chart(visit: Callable[..., Page]) -> None:
    page = visit(f"{ADDRESS}&a=none&b=none")
    start = page.evaluate("() => history.length")
    press(network(page, "50%"))
    wait_for_parameter(page, "a", "slim-50")
    settle(page)
    press(network(page, "10%"))
    wait_for_parameter(page, "b", "slim-10")
    settle(page)
    assert page.evaluate("() => history.length") == start + 2  # a step a click
    card = page.locator(".st-key-difference-card")
    card.locator("text=points").first.wait_for()
    chart = page.locator(".st-key-tradeoffs").bounding_box()
    box = card.bounding_box()
    assert chart is not None
    assert box is not None
    assert chart["x"] + chart["width"] <= box["x"]
    press(network(page, "5%"))  # in place of the one that came first
    wait_for_parameter(page, "b", "slim-5")
    wait_for_parameter(page, "a", "slim-10")
    settle(page)
    press(network(page, "5%"))  # and off
    wait_for_parameter(page, "b", "none")


@pytest.mark.parametrize(("size", "theme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_the_chart_is_whole_and_the_page_no_wider_than_the_window(
    visit: Callable[..., Page], size: tuple[int, int], theme: str
) -> None:
    page = visit(f"{ADDRESS}&x=ms-32&y=kept", size=size, theme=theme)
    assert overflow(page) <= 1
    chart = page.locator(".st-key-tradeoffs svg.marks")
    box = chart.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size[0]
    if size == DESKTOP:
        assert box["y"] + box["height"] <= size[1] + 84  # a broken study is named above it
    words = page.inner_text("[data-testid=stMain]")
    assert "made-up processor" in words
    page.get_by_label("At most, in ms").fill("1000")
    page.keyboard.press("Enter")
    wait_for_parameter(page, "ms-32", "1000")
