from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from slimviz.theme import PALETTES
from tests.browser.conftest import DESKTOP, PHONE, background, overflow, pick, settle, wait_for_parameter
from tests.factories.tiny_study import BUDGET, write_tiny_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MAIN = "[data-testid=stMain]"


@pytest.fixture(scope="module")
def live_server(browser: Browser, start_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A dashboard on studies whose networks load; asks for the browser first, so that no server starts in vain."""
    folder = tmp_path_factory.mktemp("tiny")
    for task in ("sst2", "stsb"):
        write_tiny_study(folder, task, name=f"tiny-{task}")
    return start_server(folder)


def ask(page: Page, *texts: str) -> None:
    fields = page.locator("textarea")
    fields.nth(len(texts) - 1).wait_for()
    for field, text in zip(fields.all(), texts, strict=True):
        field.fill(text)
    page.get_by_role("button", name="Ask both networks").click()


def answer(page: Page, text: str) -> str:
    """What the page says once it has answered this text."""
    page.wait_for_selector(f"text=“{text}”")
    settle(page)
    return page.inner_text(MAIN)


def test_a_typed_sentence_is_answered_by_both_networks(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/play?study=tiny-sst2", base=live_server)
    ask(page, "The film is good")
    words = answer(page, "The film is good")
    assert "The teacher" in words
    assert f"The slim network ({BUDGET}%)" in words
    assert words.count("4 word pieces read") == 2
    assert words.count("negative") >= 2
    assert "film" not in unquote(page.url)
    assert "study=tiny-sst2" in page.url
    page.locator("textarea").fill("a bad soup")
    page.locator("textarea").press("Control+Enter")
    assert "The film is good" not in answer(page, "a bad soup")


def test_markup_stays_text(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/play?study=tiny-sst2", base=live_server)
    typed = "<img src=x onerror=alert(1)> **bold** $x$ good"
    ask(page, typed)
    answer(page, typed)
    assert page.locator("img[src=x]").count() == 0
    assert page.locator(f"{MAIN} strong", has_text="bold").count() == 0


def test_a_long_paste_is_cut_and_said(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/play?study=tiny-sst2", base=live_server)
    ask(page, "good film " * 1000)
    page.wait_for_selector("text=only the first 512 of 9,999 characters are read")
    page.wait_for_selector("text=were left out")
    settle(page)
    assert overflow(page) <= 0


def test_an_example_of_the_probe_set_is_answered_at_once(visit: Callable[..., Page], live_server: str) -> None:
    page = visit("/play?study=tiny-stsb", base=live_server)
    pick(page, "Try an example")
    page.wait_for_selector("text=This is an example of the probe set, labelled")
    settle(page)
    assert "on a scale to 5" in page.inner_text(MAIN)
    assert all(field.input_value() for field in page.locator("textarea").all())


def test_two_visitors_get_their_own_answers(visit: Callable[..., Page], live_server: str) -> None:
    first = visit("/play?study=tiny-sst2", base=live_server)
    second = visit("/play?study=tiny-sst2", base=live_server)
    ask(first, "a warm dog")
    ask(second, "a cold soup")
    assert "cold soup" not in answer(first, "a warm dog")
    assert "warm dog" not in answer(second, "a cold soup")


def test_a_label_is_explained_word_by_word_and_a_pinned_head_is_drawn(
    visit: Callable[..., Page], live_server: str
) -> None:
    page = visit("/play?study=tiny-sst2&head=1-1", base=live_server, size=PHONE)
    ask(page, "<b>good</b> film")
    answer(page, "<b>good</b> film")
    page.get_by_role("radiogroup", name="Explain, word by word").get_by_text("positive").click()
    wait_for_parameter(page, "explain", "1")
    page.wait_for_selector("text=Slim minus teacher")
    settle(page)
    assert page.locator("[role=graphics-symbol][aria-label^='film: ']").count() >= 3
    assert page.locator("[role=graphics-symbol][aria-label^='film to film: ']").count() >= 1
    assert page.locator(f"{MAIN} b", has_text="good").count() == 0
    assert overflow(page) <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_and_follows_the_theme(
    visit: Callable[..., Page], live_server: str, theme: str, size: tuple[int, int], tmp_path: Path
) -> None:
    page = visit("/play?study=tiny-stsb", base=live_server, theme=theme, size=size)
    ask(page, "the dog runs", "a dog runs")
    page.wait_for_selector("text=on a scale to 5")
    settle(page)
    assert overflow(page) <= 0
    red, green, blue = (int(PALETTES[theme].background[start : start + 2], 16) for start in (1, 3, 5))
    assert background(page) == f"rgb({red}, {green}, {blue})"
