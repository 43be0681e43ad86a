"""The dashboard in a process of its own, and a real Chromium to look at it: for benchmarks and for tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
# As a user does in a checkout; a port follows.
COMMAND = (sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true", "--server.port")
START_SECONDS, POLL_SECONDS = 120, 0.02  # generous: the machine may be busy with other things
CHROMIUM_VARIABLE = "SLIMVIZ_CHROMIUM"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--disable-renderer-backgrounding",  # one of many pages at once is as much awake as the first
    "--disable-backgrounding-occluded-windows",
    "--no-first-run",
)


CHARTS_ARE_DRAWN = """() =>
    !document.querySelector('[data-testid=stSkeleton]') &&
    [...document.querySelectorAll('[data-testid=stVegaLiteChart]')].every(
        e => e.querySelector('canvas.marks, svg.marks [role=graphics-symbol]')) &&
    [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(e => e.querySelector('.main-svg'))
"""


class NotStarted(Exception):
    """The dashboard or the browser did not start; says why."""


@dataclass(frozen=True)
class Dashboard:
    """Address of a running dashboard, the milliseconds until it answered, and the number of its process."""

    address: str
    ready_ms: float
    process: int


@contextmanager
def running_dashboard(
    environment: Mapping[str, str], *, command: Sequence[str] = COMMAND, folder: Path = ROOT
) -> Iterator[Dashboard]:
    """Start the dashboard on a free port, and stop it at the end.

    Args:
        environment: all variables of its process.
        command: what starts it; the port is added.
        folder: where it is started.

    Raises:
        NotStarted: it ended or did not answer in time; with the end of what it printed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://localhost:{port}"
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen([*command, port], cwd=folder, env=dict(environment), stdout=log, stderr=log)
        try:
            while not _is_healthy(address):
                if process.poll() is not None or time.perf_counter() - start > START_SECONDS:
                    log.seek(0)
                    complaint = log.read().decode(errors="replace").strip()[-2000:]
                    raise NotStarted(f"the dashboard did not start: {complaint}")
                time.sleep(POLL_SECONDS)
            yield Dashboard(address, 1000 * (time.perf_counter() - start), process.pid)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:  # noqa: S310 # our own server
            return answer.read() == b"ok"
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def open_browser(program: str | None = None) -> Iterator[Browser]:
    """A headless Chromium with a profile of its own, that asks nothing of the network by itself.

    Args:
        program: its path; SLIMVIZ_CHROMIUM or the one on PATH by default.

    Raises:
        NotStarted: playwright or Chromium is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NotStarted("playwright is not installed (requirements-dev.txt)") from error
    named = program or os.environ.get(CHROMIUM_VARIABLE)
    found = next(filter(None, map(shutil.which, [named] if named else CHROMIUM)), None)
    if found is None:
        raise NotStarted(f"no Chromium was found (install chromium, or name one by {CHROMIUM_VARIABLE})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def settle(page: Page) -> None:
    """Wait until the script has run and the page has drawn what it sent."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_function("() => !document.querySelector('[data-stale=\"true\"]')")
    page.wait_for_function(CHARTS_ARE_DRAWN)
    page.wait_for_timeout(300)
