"""What a page from elsewhere, or a study from elsewhere, could make of the dashboard."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import settle
from tests.factories import synthetic_study
from tests.factories.study_document import edit
from tests.factories.tiny_study import write_tiny_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOST = "evil.example"
HOSTILE = (
    f"https://{HOST}/x www.{HOST} me@{HOST} ![i](https://{HOST}/i.png) [l](//{HOST}) <img src=//{HOST}/q.png> "
    "<b>b</b> $x^2$ :streamlit: :smile: :material/home: :red[x] **y** `z`"
)
CRITERION = f"www.{HOST}"


@pytest.mark.parametrize(("host", "status"), [("localhost", 101), ("127.0.0.1", 101), ("elsewhere.example", 403)])
def test_only_this_machines_names_get_a_session(server: str, host: str, status: int) -> None:
    where = urlsplit(server)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    headers = {"Host": f"{host}:{where.port}", "Origin": f"http://{host}:{where.port}", "Connection": "Upgrade"}
    headers |= {"Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2xpbXZpei1zbGltdml6IQ=="}
    connection.request("GET", "/_stcore/stream", headers=headers)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == status


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies, one of them with networks, in which every free text tries to be Markdown."""
    parent = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        make = synthetic_study.make_factors

        def with_criterion(*arguments: Any) -> Any:
            factors = make(*arguments)
            factors.by_criterion[CRITERION] = dict(factors.by_criterion["alpha"])
            return factors

        patch.setattr(synthetic_study, "make_factors", with_criterion)
        folders = [synthetic_study.write_study(parent, "sst2", name="numbers", criterion=CRITERION)]
    folders.append(write_tiny_study(parent, "sst2", name="networks"))
    for folder in folders:
        edit(folder, _make_hostile)
    return parent


def _make_hostile(document: dict) -> None:
    task, provenance = document["task"], document["provenance"]
    task |= {"title": f"T {HOSTILE}", "description": f"D {HOSTILE}", "name": "own"}
    task |= {"text": [f"C {HOSTILE}"], "labels": [f"L0 {HOSTILE}", f"L1 {HOSTILE}"]}
    document["backbone"] |= {"name": f"B {HOSTILE}", "source": f"S {HOSTILE}"}
    provenance |= {"command": f"X {HOSTILE}", "hardware": f"H {HOSTILE}"}
    provenance["data"]["source"] = f"P {HOSTILE}"
    provenance["libraries"] = {f"Y {HOSTILE}": f"Z {HOSTILE}"}


@pytest.mark.parametrize(
    "path",
    ["/?study=numbers", "/survivors?study=numbers", "/heads?study=numbers&head=1-1", "/play?study=networks",
     "/live?study=networks"],
)  # fmt: skip
def test_what_comes_from_a_study_is_shown_as_text(
    browser: Browser, start_server: Callable[..., str], hostile: Path, path: str
) -> None:
    server = start_server(hostile)
    context = browser.new_context(viewport={"width": 1280, "height": 2400})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server + path)
    page.wait_for_selector("h2")
    settle(page)
    for summary in page.locator("summary").all():
        summary.click()
    if path.startswith("/play"):
        page.locator("textarea").fill("the film is good")
        page.get_by_role("button", name="Ask").click()
        page.wait_for_selector("h3:has-text('Answer')")
        settle(page)
    box = page.locator('[data-testid="stMain"] [data-testid="stSelectbox"] input').first
    box.click()
    page.wait_for_selector('[role="option"]')
    assert not _made_of_text(page)
    assert page.locator('[data-testid="stMain"] [data-testid="stAlert"]:has-text("Unknown study")').count() == 0
    assert HOST in page.locator("body").inner_text().replace("\u2060", "")
    assert not [url for url in asked if HOST in url or not url.startswith((server, "data:", "blob:"))]
    context.close()


def _made_of_text(page: Page) -> list[str]:
    """Links that lead elsewhere, and pictures, formulas and icons where only text belongs."""
    return page.evaluate(
        """() => [
            ...[...document.querySelectorAll('a[href]')].filter(a => !a.href.startsWith(location.origin)),
            ...document.querySelectorAll('[data-testid=stMarkdownContainer] :is(img, .katex, b)'),
            ...document.querySelectorAll('[role=option] :is(a, img)')
        ].map(e => e.outerHTML.slice(0, 200))"""
    )
