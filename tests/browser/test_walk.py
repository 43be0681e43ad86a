"""A stranger's walk over the studies that ship, from the first screen to a link sent to somebody else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.conftest import press, settle, wait_for_parameter
from tests.browser.test_head_surgery import scored
from tests.browser.test_heads import cell
from tests.browser.test_history import go
from tests.browser.test_playground import answer, ask

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MAIN = "[data-testid=stMain]"
ONLY_COLA = re.compile(r"Kept by one task alone \(layer-head\):.*?CoLA (\d+)-(\d+)")
TYPED = "She have seen the picture."


@pytest.fixture(scope="module")
def shipped(browser: Browser, start_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dashboard on the shipped studies alone; asks for the browser first, so that no server starts in vain."""
    return start_server(tmp_path_factory.mktemp("none"))


def parameters(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def choose(page: Page, box: str, option: str) -> None:
    """Choose in a select box by keyboard alone."""
    field = page.get_by_role("combobox", name=box)
    field.focus()
    field.press("ArrowDown")
    page.keyboard.type(option)
    page.keyboard.press("Enter")


def test_a_stranger_follows_one_head_from_the_first_screen_to_a_link(visit: Callable[..., Page], shipped: str) -> None:
    # What was cut, and was it worth it?
    page = visit("/?study=cola", base=shipped)
    first = page.inner_text(MAIN)
    assert "BERT cut small for each task" in first
    assert re.search(r"At 10% of their teachers' parameters, \d of 8 tasks show no loss beyond 3 points", first)
    assert re.search(r"46\.2 MB → 4\.\d MB", first)

    # A head that CoLA alone keeps.
    go(page, "Heads", "Which heads matter")
    found = ONLY_COLA.search(page.inner_text(MAIN))
    assert found, "no head that CoLA alone keeps"
    layer, head = map(int, found.groups())
    press(cell(page, "heads-of-cola", layer, head))
    wait_for_parameter(page, "head", f"{layer}-{head}")
    page.wait_for_selector(f"h3:has-text('Layer {layer}, head {head}')")
    settle(page)
    assert "Is it true? Without the half of the heads that come last here" in page.inner_text(MAIN)
    page.locator(".st-key-head-card [data-testid=stPageLink] a", has_text="CoLA").click()
    page.wait_for_selector("h1:has-text('What would it say to me?')")
    settle(page)
    assert parameters(page) | {"study": "cola", "head": f"{layer}-{head}"} == parameters(page)

    # What it costs to cut it, by keyboard, and a sentence of one's own.
    choose(page, "Cut or restore a head of the teacher", f"layer {layer}, head {head}")
    wait_for_parameter(page, "cut", f"{layer}-{head}")
    assert f"Cut: layer {layer}, head {head} (1 of 72)." in scored(page, 1)
    ask(page, TYPED)
    words = answer(page, TYPED)
    assert re.search(r"teacher (un)?acceptable \(", words)
    page.get_by_role("radiogroup", name="Explain, word by word").get_by_text("unacceptable").click()
    wait_for_parameter(page, "explain", "0")
    page.wait_for_selector("text=Slim minus teacher")
    page.wait_for_selector("[role=graphics-symbol][aria-label^='have: ']")

    # Which examples flip.
    page.get_by_role("button", name="Find examples that they answer differently").click()
    page.wait_for_selector("text=The one head that changes it when")
    settle(page)
    assert re.search(r"\d+ of \d+", page.inner_text(MAIN))

    # The link shows the same elsewhere, without the typed text.
    assert "picture" not in page.url
    elsewhere = visit(page.url.removeprefix(shipped), base=shipped)
    assert f"Cut: layer {layer}, head {head} (1 of 72)." in scored(elsewhere, 1)

    # How it does on this machine.
    go(page, "Live", "How accurate and how fast")
    page.get_by_text("Probe set, written for this project").click()
    page.get_by_role("radio", name="32", exact=True).click()
    page.get_by_role("button", name="Measure now").click()
    page.wait_for_selector("text=Latest run: CoLA")
    settle(page)
    assert re.search(r"\(\d+/\d+ right\)", page.inner_text(MAIN))
