"""The browser's Back: a visit is one step, and so is a choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.browser.conftest import press, settle, wait_for_parameter
from tests.browser.test_heads import cell

if TYPE_CHECKING:
    from playwright.sync_api import Page


def steps(page: Page) -> int:
    return page.evaluate("() => history.length")


def path(page: Page) -> str:
    return urlsplit(page.url).path


def go(page: Page, name: str, question: str) -> None:
    page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
    page.wait_for_selector(f"h1:has-text('{question}')")
    settle(page)


def back(page: Page, question: str) -> None:
    page.evaluate("() => history.back()")
    page.wait_for_selector(f"h1:has-text('{question}')")
    settle(page)


def test_a_visit_to_a_page_is_one_step_of_back(visit: Callable[..., Page]) -> None:
    page = visit("/")
    assert "budget=" in page.url
    start = steps(page)
    go(page, "Survivors", "Where did neurons survive?")
    assert "density=" in page.url
    go(page, "Heads", "Which heads matter")
    assert "criterion=" in page.url
    assert steps(page) == start + 2
    back(page, "Where did neurons survive?")
    assert path(page) == "/survivors"
    back(page, "What survived")
    assert path(page) == "/"
    assert steps(page) == start + 2  # going back made none


def test_a_link_with_parameters_is_one_step_too(visit: Callable[..., Page]) -> None:
    page = visit("/?study=demo-sst2&budget=25")
    start = steps(page)
    page.get_by_role("link", name="See heads").click()
    page.wait_for_selector("h1:has-text('Which heads matter')")
    settle(page)
    wait_for_parameter(page, "studies", "demo-sst2")
    wait_for_parameter(page, "budget", "25")
    assert steps(page) == start + 1
    back(page, "What survived")
    wait_for_parameter(page, "study", "demo-sst2")
    wait_for_parameter(page, "budget", "25")


def test_a_choice_is_one_step_and_back_takes_it_back(visit: Callable[..., Page]) -> None:
    page = visit("/survivors?study=demo-sst2")
    start = steps(page)
    page.get_by_role("radio", name="5%", exact=True).click()  # changes density and budget at once
    wait_for_parameter(page, "density", "5")
    wait_for_parameter(page, "budget", "5")
    settle(page)
    assert steps(page) == start + 1
    page.evaluate("() => history.back()")
    wait_for_parameter(page, "density", "10")
    page = visit("/heads?studies=demo-sst2,demo-mrpc&study=demo-sst2")
    start = steps(page)
    press(cell(page, "heads-of-demo-sst2", 2, 5))
    wait_for_parameter(page, "head", "2-5")
    assert steps(page) == start + 1
    page.evaluate("() => history.back()")
    wait_for_parameter(page, "head", "none")
