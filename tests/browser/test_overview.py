from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pruning.shipped import shipped
from pruning.study import list_studies
from slimviz.theme import PALETTES
from tests.browser.conftest import DESKTOP, PHONE, background, overflow, settle, wait_for_parameter
from tests.factories.synthetic_study import write_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


def row(page: Page, study: str) -> Locator:
    """A task's row, which is a button."""
    return page.locator(f"button[data-study='{study}']")


def test_a_deep_link_opens_that_study_and_budget(visit: Callable[..., Page]) -> None:
    page = visit("/?study=demo-sst2&budget=25&margin=5")
    words = page.inner_text("[data-testid=stMain]")
    assert "SST-2 (demo-sst2) at 25%, in numbers" in words
    assert "At 25% of their teachers' parameters" in words
    assert "no loss beyond 5 points" in words
    assert row(page, "demo-sst2").get_attribute("aria-pressed") == "true"
    for name in ("25%", "5"):
        assert page.get_by_role("radio", name=name, exact=True).get_attribute("aria-checked") == "true"


def test_choosing_a_budget_writes_the_url_and_a_reload_keeps_it(visit: Callable[..., Page]) -> None:
    page = visit("/")
    page.get_by_role("radio", name="5%", exact=True).click()
    wait_for_parameter(page, "budget", "5")
    page.reload()
    page.wait_for_selector("text=At 5% of their teachers' parameters")


def test_a_row_opens_by_click_and_by_keyboard_and_its_answer_is_on_the_screen(visit: Callable[..., Page]) -> None:
    page = visit("/?study=demo-sst2")
    row(page, "demo-mrpc").click()
    wait_for_parameter(page, "study", "demo-mrpc")
    picture = page.locator("[role=img][aria-label^='What is left of MRPC (demo-mrpc)']")
    picture.wait_for()
    settle(page)
    page.keyboard.press("Tab")  # from the row that was clicked, which is drawn anew, to the next
    focused = page.evaluate(
        "() => { let e = document.activeElement; while (e.shadowRoot) e = e.shadowRoot.activeElement;"
        " return [e.dataset.study, getComputedStyle(e).outlineStyle] }"
    )
    assert focused[0] not in (None, "demo-mrpc")
    assert focused[1] == "solid"
    page.keyboard.press("Enter")
    wait_for_parameter(page, "study", focused[0])
    settle(page)
    box = page.locator("[role=img][aria-label^='What is left of']").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800  # a broken study is named above it, which takes 84


def test_the_first_screen_is_whole_with_nine_tasks(
    visit: Callable[..., Page], browser: Browser, start_server: Callable[..., str], tmp_path: Path
) -> None:
    for number in range(9 - len(list_studies([shipped("studies")]))):  # beside those that ship
        write_study(tmp_path, "sst2", name=f"further-{number}", budgets=("10",))
    page = visit("/?study=sst2", base=start_server(tmp_path))
    rows = page.locator("button[data-study]").all()
    assert len(rows) == 9
    parts = [*rows, page.locator("[role=img][aria-label^='What is left of']"), page.locator(".axis").first]
    boxes = [part.bounding_box() for part in parts]
    assert all(box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 720 for box in boxes), boxes


def test_cells_lead_to_the_page_that_explains_them(visit: Callable[..., Page]) -> None:
    page = visit("/?budget=25&study=demo-mrpc")
    page.get_by_role("link", name="See survivors").click()
    page.wait_for_selector("text=Where did neurons survive?")
    wait_for_parameter(page, "study", "demo-mrpc")
    wait_for_parameter(page, "density", "25")
    assert "/survivors?" in page.url
    settle(page)
    assert "Equal to the stored masks at 25%" in page.inner_text("[data-testid=stMain]")
    page.get_by_role("link", name="Playground").click()  # it has no weights at 25%, so it shows others
    wait_for_parameter(page, "budget", "10")
    settle(page)
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


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["light-desktop", "dark-phone"])
@pytest.mark.parametrize("path", ["/", "/survivors?study=demo-sst2", "/heads?studies=demo-sst2,demo-mrpc&head=2-3"])
def test_pages_fit_and_follow_the_theme(
    visit: Callable[..., Page], path: str, theme: str, size: tuple[int, int]
) -> None:
    page = visit(path, size=size, theme=theme)
    page.wait_for_selector("[role=img][aria-label^='What is left of']" if path == "/" else "svg.marks")
    assert overflow(page) <= 1
    palette = PALETTES[theme]
    red, green, blue = (int(palette.background[place : place + 2], 16) for place in (1, 3, 5))
    assert background(page) == f"rgb({red}, {green}, {blue})"
    picture = '[role=img][aria-label^="What is left of"]'
    drawn = page.evaluate(
        f"() => [...document.querySelectorAll('svg.marks, {picture}')].map(e => e.outerHTML).join('')"
    )
    other = PALETTES["dark" if theme == "light" else "light"]
    if path == "/":
        assert palette.slim in drawn
        assert other.slim not in drawn
        return
    ours = palette.mark_on_strong, palette.mark
    other = PALETTES["dark" if theme == "light" else "light"]
    assert any(colour in drawn for colour in ours)
    assert other.teacher not in drawn
    assert other.outline not in drawn.replace(palette.mark_on_strong, "").replace(palette.background, "")
