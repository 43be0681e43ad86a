"""What is added to Streamlit's web server: whom it answers, what it forbids browsers, and where pages find it."""

from __future__ import annotations

import json
import threading
import webbrowser
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.server_util import get_display_address, get_url

from slimviz.state import UNKNOWN_PAGE

SAFETY_HEADERS = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# Streamlit's front end looks for its server below the page's own path first, a 404 each, unless it is told.
WHERE_THE_SERVER_IS = """<head><script>
window.__streamlit = {BACKEND_BASE_URL: location.origin + location.pathname.replace(new RegExp(PATTERN), "/")};
</script>"""
# Streamlit makes a step of Back of every parameter that a page writes into its address, and, where parameters are there
# before the page's own path is, two of one visit. What is only added completes the step that led there, and so does all
# that follows on one click or key; the first other change after that is a step of its own.
ONE_STEP_A_VISIT = """<script>
(() => {
  let isStepMade = true;
  const acts = ["pointerdown", "pointerup", "click", "keydown"];
  for (const name of acts) addEventListener(name, () => { isStepMade = false; }, true);
  addEventListener("popstate", () => { isStepMade = true; }, true);
  history.pushState = (push => function (state, title, url) {
    const next = new URL(url ?? location.href, location.href), now = [...new URLSearchParams(location.search)];
    const stays = now.every(([name, value]) => next.searchParams.get(name) === value);
    const isStep = !isStepMade && !(stays && next.pathname === location.pathname);
    isStepMade ||= isStep;
    return (isStep ? push : this.replaceState).call(this, state, title, url);
  })(history.pushState);
})();
</script>"""
SERVED = ("_stcore", "app", "component", "favicon.png", "media", "static")  # folders and a file of Streamlit's own
LONGEST_PATH = 80  # characters of it
UNTIL_IT_ANSWERS = 0.3  # seconds that the server needs once its start-up is over


class SafetyHeaders:
    """Puts `SAFETY_HEADERS` on every answer, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, with the headers added."""

        async def with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                MutableHeaders(scope=message).update(SAFETY_HEADERS)
            await send(message)

        await self.app(scope, receive, with_headers)


class KnownPages:
    """Leads whoever asks for a page that there is none of to the first one, which says so.

    Streamlit would answer any path with its front end, which looks for its files and its server below that path, and
    shows an empty page where it finds none.
    """

    def __init__(self, app: ASGIApp, *, pages: Collection[str]) -> None:
        self.app = app
        self.base = _base_path()
        self.known = {self.base.rstrip("/"), *(self.base + page for page in pages)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, but for a browser that opens an unknown page."""
        path = scope.get("path", "")
        if scope["type"] == "http" and self._is_unknown(path, Headers(scope=scope)):
            where = f"{self.base}?{urlencode({UNKNOWN_PAGE: path.removeprefix(self.base)[:LONGEST_PATH]})}"
            await RedirectResponse(where, status_code=307)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_unknown(self, path: str, headers: Headers) -> bool:
        is_visit = headers.get("sec-fetch-dest") == "document"  # a browser's window; not scripts, pictures or tools
        is_served = path.removeprefix(self.base).split("/", 1)[0] in SERVED
        return is_visit and not is_served and path.rstrip("/") not in self.known


class OwnOrigin:
    """Refuses a session (403) to pages of another origin, unless `server.corsAllowedOrigins` names it.

    Streamlit lets in every port of this machine, and asks a foreign host for its own address before it refuses others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, but for a WebSocket that a foreign page opens."""
        if scope["type"] == "websocket" and not _is_own(Headers(scope=scope)):
            await PlainTextResponse("Foreign origin", status_code=403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _is_own(headers: Headers) -> bool:
    origin = headers.get("origin")  # only browsers send it, and all of them do
    return (
        origin is None
        or urlsplit(origin).netloc == headers.get("host")
        or origin in st.get_option("server.corsAllowedOrigins")
    )


def keep_uploads_in_memory() -> None:
    """Have what visitors upload stay in memory: Starlette would write what exceeds a megabyte to a temporary file."""
    MultiPartParser.spool_max_size = (int(st.get_option("server.maxUploadSize")) + 1) * 2**20


def middleware(pages: Iterable[str]) -> list[Middleware]:
    """Outermost first, for pages of these URL paths.

    The hosts are those of `server.allowedHosts`, which Streamlit itself asks for sessions only.
    """
    hosts = [f"[{host}]" if ":" in host else host for host in st.get_option("server.allowedHosts")]
    return [
        Middleware(SafetyHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts or ["*"], www_redirect=False),
        Middleware(OwnOrigin),
        Middleware(KnownPages, pages=[page for page in pages if page]),
    ]


def routes(pages: Iterable[str]) -> list[Route]:
    """Streamlit's one HTML file for the pages of these URL paths, told where its server is and what a step of Back is.

    What precedes the page in the address, as of a proxy, stays in front.
    """
    paths = [path for path in pages if path]
    pattern = json.dumps(f"/(?:{'|'.join(paths)})?/*$")
    shell = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    shell = shell.replace("<head>", WHERE_THE_SERVER_IS.replace("PATTERN", pattern) + ONE_STEP_A_VISIT, 1)

    async def answer(_request: Request) -> HTMLResponse:
        return HTMLResponse(shell, headers={"Cache-Control": "no-cache"})

    return [Route(_base_path() + path, answer) for path in ("", *paths)]


def _base_path() -> str:
    """What the first page's path is: "/", or a proxy's folder with a slash at both ends."""
    return "/".join(["", *filter(None, st.get_option("server.baseUrlPath").split("/")), ""])


@asynccontextmanager
async def open_browser(_app: object) -> AsyncIterator[None]:
    """Open the dashboard in a browser, unless `server.headless`: Streamlit does so for scripts, not for apps."""
    if not st.get_option("server.headless"):
        address = get_url(get_display_address(st.get_option("server.address") or "localhost"))
        timer = threading.Timer(UNTIL_IT_ANSWERS, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    yield
