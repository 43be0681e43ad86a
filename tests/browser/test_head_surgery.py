from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import PHONE, overflow, press, settle, wait_for_parameter
from tests.factories.tiny_study import write_tiny_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

MAIN = "[data-testid=stMain]"
TEACHER = "surgery-cut-tiny"
SLIM = "surgery-cut-slim-tiny"


@pytest.fixture(scope="module")
def live_server(browser: Browser, start_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_study(folder, "stsb", name="tiny")
    return start_server(folder)


def cell(page: Page, key: str, layer: int, head: int) -> Locator:
    label = f"head: {head}; layer: {layer};"
    return page.locator(f".st-key-{key} svg.marks path[aria-roledescription='rect mark'][aria-label^='{label}']").first


def scored(page: Page, networks: int) -> str:
    """What the page says once so many networks have answered the examples without some heads."""
    page.wait_for_function(
        "count => document.body.innerText.split('On the probe set:').length === count + 1", arg=networks
    )
    settle(page)
    return page.inner_text(MAIN)


def test_clicks_cut_and_restore(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/play?study=tiny", base=live_server)
    press(cell(page, TEACHER, 1, 2))
    wait_for_parameter(page, "cut", "1-2")
    assert "Cut: layer 1, head 2 (1 of 8)." in scored(page, 1)
    press(cell(page, SLIM, 2, 1))
    wait_for_parameter(page, "cut-slim", "2-1")
    assert scored(page, 2).count("Now ") == 2
    press(cell(page, SLIM, 1, 2))  # slimming removed it, so there is nothing to cut
    press(cell(page, TEACHER, 1, 2))
    wait_for_parameter(page, "cut", "none")
    assert "All its 8 heads are at work." in scored(page, 1)
    press(cell(page, TEACHER, 1, 2))
    wait_for_parameter(page, "cut", "1-2")
    assert "cut-slim=2-1" in page.url
    page.evaluate("() => history.back()")
    wait_for_parameter(page, "cut", "none")
    scored(page, 1)


def test_two_visitors_cut_different_heads(visit: Callable[..., Page], live_server: str) -> None:
    first = visit("/play?study=tiny&cut=1-1", base=live_server)
    second = visit("/play?study=tiny&cut=2-2,2-3", base=live_server, size=PHONE)
    assert "Cut: layer 2, head 2 and layer 2, head 3 (2 of 8)." in scored(second, 1)
    assert "Cut: layer 1, head 1 (1 of 8)." in scored(first, 1)
    assert overflow(second) <= 0
