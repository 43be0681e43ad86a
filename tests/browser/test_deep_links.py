"""Every page opened by its address: nothing is asked for in vain (`visit` compares console and answers)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from slimviz.widgets.navigation import PAGES, PageEntry

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("path", ["/nothing", "/heads/nothing", "/%3Cb%3E"])
def test_an_unknown_page_leads_to_the_first_one_and_is_named(visit: Callable[..., Page], path: str) -> None:
    page = visit(path)
    assert page.inner_text("h1").startswith(PAGES[0].question)
    assert f'There is no page "{unquote(path[1:])}" here' in page.inner_text("[data-testid=stMain]")


@pytest.mark.parametrize(  # with parameters they are opened all the time, by the other tests
    ("entry", "after"),
    [*((entry, "") for entry in PAGES), (PAGES[1], "/")],
    ids=lambda value: getattr(value, "module", value),
)
def test_a_page_opens_by_its_address(visit: Callable[..., Page], entry: PageEntry, after: str) -> None:
    page = visit(f"/{entry.path}{after}" if entry.path else f"/{after.strip('/')}")
    (headline,) = page.locator("h1").all()
    assert headline.inner_text().startswith(entry.question)
