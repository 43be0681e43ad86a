"""Every page opened by its address: nothing is asked for in vain (`visit` compares console and answers)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from slimviz.widgets.navigation import PAGES, PageEntry

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.module)
@pytest.mark.parametrize("after", ["", "?study=demo-sst2", "/"])
def test_a_page_opens_by_its_address(visit: Callable[..., Page], entry: PageEntry, after: str) -> None:
    page = visit(f"/{entry.path}{after}" if entry.path else f"/{after.strip('/')}")
    assert page.inner_text("h2").startswith(entry.question)
