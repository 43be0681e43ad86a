"""What a page from elsewhere, or a study from elsewhere, could make of the dashboard."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
    "<b>b</b> -> $x^2$ :streamlit: :smile: :material/home: :red[x] **y** `z`"
)
CRITERION = f"www.{HOST}"


def ask(server: str, path: str, **headers: str) -> http.client.HTTPResponse:
    where = urlsplit(server)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    connection.close()
    return answer


def ask_for_a_session(server: str, **headers: str) -> http.client.HTTPResponse:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    upgrade |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "c2xpbXZpei1zbGltdml6IQ=="}
    return ask(server, "/_stcore/stream", **upgrade, **headers)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", HOST, "localhost.evil.example", "me@localhost", ""]
)
def test_only_this_machines_names_get_an_answer(server: str, host: str) -> None:
    own = host in ("localhost", "127.0.0.1", "[::1]")
    name = f"{host}:{urlsplit(server).port}"
    assert ask_for_a_session(server, Host=name, Origin=f"http://{name}").status == (101 if own else 400)
    for path in ("/", "/survivors", "/favicon.png", "/_stcore/health", "/_stcore/host-config"):
        assert ask(server, path, Host=name).status == (200 if own else 400), path


def test_a_page_from_elsewhere_gets_no_session(server: str) -> None:
    host = urlsplit(server).netloc
    for origin in (f"http://{HOST}", "http://localhost:1", "http://localhost", "null", ""):
        assert ask_for_a_session(server, Host=host, Origin=origin).status == 403, origin


@pytest.mark.parametrize("path", ["/", "/heads", "/nothing", "/_stcore/health", "/_stcore/upload_file/a/b", "/media/x"])
def test_every_answer_tells_browsers_what_not_to_do(server: str, path: str) -> None:
    headers = ask(server, path).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_no_other_page_can_frame_the_dashboard(browser: Browser, server: str) -> None:
    class Framing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<iframe src='{server}/heads'></iframe>".encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Framing) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{other.server_port}/", wait_until="networkidle")
        assert [frame.url for frame in page.frames[1:]] == ["chrome-error://chromewebdata/"]
        page.close()
        other.shutdown()


@pytest.fixture(scope="module")
def hostile_server(start_server: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a dashboard on two studies, one of them with networks, in which every free text tries to be Markdown."""
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
    return start_server(parent)


def _make_hostile(document: dict) -> None:
    task, provenance = document["task"], document["provenance"]
    task |= {"title": f"T {HOSTILE}", "description": f"D {HOSTILE}", "name": "own"}
    task |= {"text": [f"C {HOSTILE}"], "labels": [f"L0 {HOSTILE}", f"L1 {HOSTILE}"]}
    document["backbone"]["source"] = f"S {HOSTILE}"
    provenance |= {"command": f"X {HOSTILE}", "hardware": f"H {HOSTILE}"}
    provenance["data"]["source"] = f"P {HOSTILE}"
    provenance["libraries"] = {f"Y {HOSTILE}": f"Z {HOSTILE}"}


@pytest.mark.parametrize(
    "path",
    ["/?study=numbers", "/survivors?study=numbers", "/heads?study=numbers&head=1-1", "/play?study=networks",
     "/live?study=networks"],
)  # fmt: skip
def test_what_comes_from_a_study_is_shown_as_text(browser: Browser, hostile_server: str, path: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 2400})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(hostile_server + path)
    page.wait_for_selector("h1")
    settle(page)
    for summary in page.locator("summary").all():
        summary.click()
    if path.startswith("/play"):
        page.locator("textarea").fill("the film is good")
        page.get_by_role("button", name="Ask").click()
        page.wait_for_selector("h3:has-text('Answer')")
        settle(page)
    if not path.startswith("/?"):  # Overview chooses by its rows
        page.locator('[data-testid="stMain"] [data-testid="stSelectbox"] input').first.click()
        page.wait_for_selector('[role="option"]')
    assert not _made_of_text(page)
    assert page.locator('[data-testid="stMain"] [data-testid="stAlert"]:has-text("Unknown study")').count() == 0
    words = page.locator("body").inner_text().replace("\u2060", "")
    assert HOST in words
    assert "→" not in re.sub(r"(?<=\d MB) → (?=\d)|(?<=\d) → (?=\d)", "", words)  # our own: from this to that
    assert not [url for url in asked if HOST in url or not url.startswith((hostile_server, "data:", "blob:"))]
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
