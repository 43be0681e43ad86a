"""What the web server adds; the rest is seen in a browser (`tests/browser/test_security.py`)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import streamlit as st
from starlette.formparsers import MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from slimviz import server

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def option(patch: pytest.MonkeyPatch, **changed: object) -> Iterator[None]:
    """Streamlit's options, some of them changed."""
    original = st.get_option
    with patch.context() as inner:
        inner.setattr(st, "get_option", lambda name: changed.get(name.split(".")[1], original(name)))
        yield


@pytest.mark.parametrize(
    ("base", "expected"),
    [("", ["/", "/heads", "/play"]), ("tools/slim", ["/tools/slim/", "/tools/slim/heads", "/tools/slim/play"])],
)
def test_pages_below_the_base_path(monkeypatch: pytest.MonkeyPatch, base: str, expected: list[str]) -> None:
    with option(monkeypatch, baseUrlPath=base):
        assert [route.path for route in server.routes(["", "heads", "play"])] == expected


@pytest.mark.parametrize(
    ("base", "path", "dest", "where"),
    [
        ("", "/nothing", "document", "/?unknown=nothing"),
        ("", "/heads/x", "document", "/?unknown=heads%2Fx"),
        ("tools", "/tools/x", "document", "/tools/?unknown=x"),
        ("", "/heads", "document", None),
        ("", "/heads/", "document", None),
        ("", "/", "document", None),
        ("tools", "/tools", "document", None),
        ("", "/nothing", "script", None),
        ("", "/_stcore/health", "document", None),
        ("", "/media/0123.csv", "document", None),  # a download
        ("tools", "/tools/media/0123.csv", "document", None),
    ],
)
def test_a_browser_that_opens_an_unknown_page_is_led_to_the_first(
    monkeypatch: pytest.MonkeyPatch, base: str, path: str, dest: str, where: str | None
) -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    with option(monkeypatch, baseUrlPath=base):
        pages = server.KnownPages(app, pages=["heads", "play"])
    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"sec-fetch-dest", dest.encode())]}
    thread = threading.Thread(target=lambda: asyncio.run(pages(scope, receive, send)))  # see below
    thread.start()
    thread.join()
    found = dict(sent[0]["headers"]).get(b"location")
    assert (found.decode() if found else None) == where
    assert sent[0]["status"] == (307 if where else 200)


@pytest.mark.parametrize("headless", [True, False])
def test_a_browser_is_opened_unless_headless(monkeypatch: pytest.MonkeyPatch, headless: bool) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(server, "UNTIL_IT_ANSWERS", 0)

    async def start() -> None:
        async with server.open_browser(None):
            pass

    with option(monkeypatch, headless=headless):
        # In a thread of its own: after the browser tests, this one already has an event loop running.
        thread = threading.Thread(target=lambda: asyncio.run(start()))
        thread.start()
        thread.join()
        time.sleep(0.2)
    assert len(opened) == (0 if headless else 1)
    assert all(address.startswith("http://") for address in opened)


@pytest.mark.parametrize("kept", [False, True])
def test_uploads_stay_in_memory(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    """Streamlit reads what visitors send with this very call, which rolls larger files over to the disk."""
    monkeypatch.setattr(MultiPartParser, "spool_max_size", MultiPartParser.spool_max_size)
    if kept:
        server.keep_uploads_in_memory()
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    body = head + b"a" * (20 * 2**20) + b"\r\n--x--\r\n"
    scope = {"type": "http", "method": "PUT", "headers": [(b"content-type", b"multipart/form-data; boundary=x")]}

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def rolled() -> bool:
        async with Request(scope, receive).form() as form:
            file = form["file"].file  # type: ignore[union-attr]
            return bool(file._rolled)

    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(rolled())))  # see above
    thread.start()
    thread.join()
    assert found == [not kept]


def test_the_app_keeps_uploads_in_memory() -> None:
    script = "import app; from starlette.formparsers import MultiPartParser; print(MultiPartParser.spool_max_size)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == 21 * 2**20  # what the server takes, and the form around it
