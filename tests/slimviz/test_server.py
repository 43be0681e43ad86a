"""What the web server adds; the rest is seen in a browser (`tests/browser/test_security.py`)."""

from __future__ import annotations

import asyncio
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import streamlit as st

from slimviz import server


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
