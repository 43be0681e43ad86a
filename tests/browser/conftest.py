"""A real Chromium against a real server, on studies with made-up numbers.

Where there is no Chromium, these tests skip and say so; with SLIMVIZ_REQUIRE_BROWSER=1 that is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.dashboard import NotStarted, open_browser, running_dashboard, settle
from pruning.data.tasks import get_task
from tests.factories.synthetic_study import bert_shape, write_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

DESKTOP, PHONE = (1280, 720), (390, 844)
WAIT_MS = 60_000  # generous: the machine may be busy with other things


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that `-m 'not browser'` leaves them out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with ExitStack() as stack:
        try:
            chromium = stack.enter_context(open_browser())
        except NotStarted as reason:
            if os.environ.get("SLIMVIZ_REQUIRE_BROWSER") == "1":
                pytest.fail(f"SLIMVIZ_REQUIRE_BROWSER=1, but {reason}")
            pytest.skip(str(reason))
        yield chromium


@pytest.fixture(scope="session")
def studies_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three studies of one backbone, one of another shape, and a broken one."""
    folder = tmp_path_factory.mktemp("studies")
    for task in ("sst2", "mrpc", "stsb"):
        write_study(folder, task, name=f"demo-{task}")
    wide = bert_shape(get_task("mnli"), layers=12, heads=12, head_size=16, ffn=768)
    write_study(folder, "mnli", name="wide-mnli", shape=wide, backbone="synthetic-wide")
    (write_study(folder, "rte", name="demo-broken") / "study.json").write_text('{"schema": 1')
    return folder


@pytest.fixture(scope="session")
def start_server() -> Iterator[Callable[..., str]]:
    """Start the dashboard on a folder of studies, with further environment variables; returns its URL.

    The studies that ship with the repository are listed too, so tests name the study that they are about.
    """
    with ExitStack() as running:

        def start(studies: Path, **environment: str) -> str:
            variables = os.environ | {"SLIMVIZ_STUDIES": str(studies)} | environment
            return running.enter_context(running_dashboard(variables)).address

        yield start


@pytest.fixture(scope="session")
def server(browser: Browser, start_server: Callable[..., str], studies_folder: Path) -> str:
    """URL of a dashboard on `studies_folder`. Asks for the browser first, so that no server starts in vain."""
    return start_server(studies_folder)


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Open an address of the dashboard in a session of its own, and wait until it is drawn.

    Arguments of the function: path with query string, then `size`, `theme` ("light" or "dark") and `base` (another
    server's URL). At the end of the test, no page may have reported an error on its console or been refused anything.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_page(path: str, *, size: tuple[int, int] = DESKTOP, theme: str = "light", base: str = "") -> Page:
        viewport: Any = {"width": size[0], "height": size[1]}
        scheme: Any = theme
        context = browser.new_context(viewport=viewport, color_scheme=scheme)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.on("response", lambda answer: complaints.extend(_refusal(answer)))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((base or server) + path, wait_until="domcontentloaded")
        page.wait_for_selector("h1")
        settle(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, complaints


def _complaint(message: Any) -> list[str]:
    """Errors on the console."""
    return [f"{message.text} {message.location.get('url', '')}"] if message.type == "error" else []


def _refusal(answer: Any) -> list[str]:
    """Answers of servers that say no, or that there is nothing."""
    return [f"{answer.status} {answer.url}"] if answer.status >= 400 else []


def wait_for_parameter(page: Page, name: str, value: str) -> None:
    """Wait until the URL says so."""
    page.wait_for_function(
        "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
    )


def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return page.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]');"
        " return Math.max(main.scrollWidth - main.clientWidth, document.body.scrollWidth - window.innerWidth) }"
    )


def background(page: Page) -> str:
    """Colour of the page's surface."""
    return page.evaluate("() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")


def pick(page: Page, box: str, option: str | None = None, tries: int = 6) -> None:
    """Pick an option of a select box, its first one by default; a list that is redrawn closes, and is opened again."""
    from playwright.sync_api import Error

    options = page.get_by_role("option") if option is None else page.get_by_role("option", name=option)
    for _ in range(tries - 1):
        page.get_by_role("combobox", name=box).click()
        try:
            options.first.click(timeout=5_000)
        except Error:
            page.keyboard.press("Escape")
            settle(page)
        else:
            return
    page.get_by_role("combobox", name=box).click()
    options.first.click()


def press(mark: Locator, tries: int = 6) -> None:
    """Click a mark of a chart; one that is drawn anew under the pointer is looked up and clicked again."""
    from playwright.sync_api import Error

    for _ in range(tries - 1):
        try:
            mark.click(force=True, timeout=5_000)
        except Error:
            mark.page.wait_for_timeout(1_000)
        else:
            return
    mark.click(force=True)
