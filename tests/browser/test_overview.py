from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from slimviz.theme import PALETTES
from tests.browser.conftest import DESKTOP, PHONE, background, overflow, settle, wait_for_parameter

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_deep_link_opens_that_study_and_budget(visit: Callable[..., Page]) -> None:
    page = visit("/?study=demo-sst2&budget=25")
    assert "SST-2 (demo-sst2) keeps" in page.inner_text("[data-testid=stMain]")
    assert "At 25% of their teachers' parameters" in page.inner_text("[data-testid=stMain]")
    pressed = page.get_by_role("radio", name="25%")
    assert pressed.get_attribute("aria-checked") == "true"


def test_choosing_a_budget_writes_the_url_and_a_reload_keeps_it(visit: Callable[..., Page]) -> None:
    page = visit("/")
    page.get_by_role("radio", name="5%", exact=True).click()
    wait_for_parameter(page, "budget", "5")
    page.reload()
    page.wait_for_selector("text=At 5% of their teachers' parameters")


def test_cells_lead_to_the_page_that_explains_them(visit: Callable[..., Page]) -> None:
    page = visit("/?budget=25")
    card = page.locator(".st-key-cells-of-demo-mrpc")
    card.get_by_text("See survivors").click()
    page.wait_for_selector("text=Where did neurons survive?")
    wait_for_parameter(page, "study", "demo-mrpc")
    wait_for_parameter(page, "density", "25")
    assert "/survivors?" in page.url
    settle(page)
    assert "Equal to the stored masks at 25%" in page.inner_text("[data-testid=stMain]")
    page.get_by_role("link", name="Overview").click()
    page.wait_for_selector("text=What survived, and was it worth it?")
    wait_for_parameter(page, "budget", "25")


def test_wrong_addresses_and_broken_studies_are_named(visit: Callable[..., Page]) -> None:
    page = visit("/?study=nonsense&budget=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    words = page.inner_text("[data-testid=stMain]")
    assert 'Unknown study "nonsense"' in words
    assert 'Unknown budget "<img src=x onerror=alert(1)>"' in words
    assert "demo-broken" in words
    assert "cannot be shown" in words
    assert page.locator("img[src=x]").count() == 0


def test_two_visitors_do_not_disturb_each_other(visit: Callable[..., Page]) -> None:
    first, second = visit("/?budget=50"), visit("/?budget=5")
    first.get_by_role("radio", name="25%").click()
    wait_for_parameter(first, "budget", "25")
    settle(second)
    assert "At 5% of" in second.inner_text("[data-testid=stMain]")
    assert "budget=5" in second.url


def test_charts_follow_a_change_of_theme(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-sst2")
    chart = page.locator(".st-key-layer-bars svg.marks")
    chart.wait_for()
    page.emulate_media(color_scheme="dark")
    dark, light = PALETTES["dark"].slim, PALETTES["light"].slim
    chart.locator(f"path[fill='{dark}']").first.wait_for()
    assert chart.locator(f"path[fill='{light}']").count() == 0


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/survivors?study=demo-sst2", "/heads?studies=demo-sst2,demo-mrpc&head=2-3"])
def test_pages_fit_and_follow_the_theme(
    visit: Callable[..., Page], path: str, theme: str, size: tuple[int, int]
) -> None:
    page = visit(path, size=size, theme=theme)
    page.wait_for_selector("svg.marks")
    assert overflow(page) <= 1
    palette = PALETTES[theme]
    red, green, blue = (int(palette.background[place : place + 2], 16) for place in (1, 3, 5))
    assert background(page) == f"rgb({red}, {green}, {blue})"
    drawn = page.evaluate("() => [...document.querySelectorAll('svg.marks')].map(e => e.outerHTML).join('')")
    ours = palette.mark_on_strong, palette.mark
    other = PALETTES["dark" if theme == "light" else "light"]
    assert any(colour in drawn for colour in ours)
    assert other.teacher not in drawn
    assert other.outline not in drawn.replace(palette.mark_on_strong, "").replace(palette.background, "")
