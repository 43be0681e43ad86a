"""What is added to Streamlit's web server: whom it answers, what it forbids browsers, and where pages find it."""

from __future__ import annotations

import json
import threading
import webbrowser
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.server_util import get_display_address, get_url

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
# Streamlit makes a step of Back of every parameter that a page writes into its address. What is only added completes
# the step that led there; what changes is a step of its own.
ONE_STEP_A_VISIT = """<script>
history.pushState = (push => function (state, title, url) {
  const next = new URL(url ?? location.href, location.href), now = [...new URLSearchParams(location.search)];
  const stays = now.every(([name, value]) => next.searchParams.get(name) === value);
  const onlyAdds = stays && next.pathname === location.pathname;
  return (onlyAdds ? this.replaceState : push).call(this, state, title, url);
})(history.pushState);
</script>"""
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


def middleware() -> list[Middleware]:
    """Outermost first; the hosts are those of `server.allowedHosts`, which Streamlit itself asks for sessions only."""
    hosts = [f"[{host}]" if ":" in host else host for host in st.get_option("server.allowedHosts")]
    return [
        Middleware(SafetyHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=hosts or ["*"], www_redirect=False),
        Middleware(OwnOrigin),
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

    base = "/".join(["", *filter(None, st.get_option("server.baseUrlPath").split("/")), ""])
    return [Route(base + path, answer) for path in ("", *paths)]


@asynccontextmanager
async def open_browser(_app: object) -> AsyncIterator[None]:
    """Open the dashboard in a browser, unless `server.headless`: Streamlit does so for scripts, not for apps."""
    if not st.get_option("server.headless"):
        address = get_url(get_display_address(st.get_option("server.address") or "localhost"))
        timer = threading.Timer(UNTIL_IT_ANSWERS, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    yield
