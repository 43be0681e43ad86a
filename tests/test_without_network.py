"""Installed once, everything that ships works with every socket blocked but localhost's."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.dashboard import ROOT, running_dashboard

# Python imports this by itself when it starts; what it refuses is written down.
BLOCKER = """
import os, socket

LOCAL = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None)

def refuse(host):
    with open(os.environ["REFUSED_HOSTS"], "a") as file:
        print(host, file=file)
    raise socket.gaierror(socket.EAI_AGAIN, f"blocked by a test: {host}")

def checked(original):
    def call(self, address, *rest):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            refuse(address[0])
        return original(self, address, *rest)
    return call

for name in ("connect", "connect_ex"):
    setattr(socket.socket, name, checked(getattr(socket.socket, name)))
lookup = socket.getaddrinfo

def getaddrinfo(host, *rest, **named):
    name = host.decode() if isinstance(host, bytes) else host
    return refuse(name) if name not in LOCAL else lookup(host, *rest, **named)

socket.getaddrinfo = getaddrinfo
"""

PAGES = """
import sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

def open_page(path):
    page = AppTest.from_file("app.py", default_timeout=300)
    if path:
        page._page_hash = calc_hash(path)
    page.query_params["study"] = "sst2"
    page.run()
    assert not page.exception and not page.error, (path, page.exception, page.error)
    assert page.title, path
    return page

def press(page, label):
    next(button for button in page.button if button.label.startswith(label)).click()
    page.run()
    assert not page.exception and not page.error, (label, page.exception, page.error)
    words = (page.markdown, page.caption, page.warning, page.info)
    return " ".join(element.value for kind in words for element in kind)

for path in ("", "survivors", "heads"):
    open_page(path)
page = open_page("play")
page.text_area[0].set_value("A slow start, but what an ending.")
answer = press(page, "Ask")
assert "They agree" in answer or "They disagree" in answer, answer
assert not Path(sys.argv[1]).exists(), Path(sys.argv[1]).read_text()
page = open_page("live")
answer = press(page, "Measure")
assert "The probe set takes its place" in answer, answer
assert "huggingface.co" in Path(sys.argv[1]).read_text()
print("all pages")
"""


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """File with the hosts that were refused, one a line; not there while there are none."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    return tmp_path / "refused.txt"


@pytest.fixture
def environment(refused: Path) -> dict[str, str]:
    """Variables of a process without a network, without caches of the hub and without folders of the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "SLIMVIZ_"))}
    blocked = str(refused.parent / "blocked")
    paths = [blocked, *filter(None, [os.environ.get("PYTHONPATH")])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "REFUSED_HOSTS": str(refused),
        "HF_HOME": str(refused.parent / "cache"),
    }


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500, check=False
    )


def test_the_blocker_blocks(environment: dict[str, str], refused: Path) -> None:
    script = "import urllib.request; urllib.request.urlopen('https://huggingface.co', timeout=5)"
    assert run(environment, "-c", script).returncode == 1
    assert refused.read_text(encoding="utf-8").split() == ["huggingface.co"]


def test_every_page_works(environment: dict[str, str], refused: Path) -> None:
    """Only Live asks for GLUE on the hub; it says that the probe set took its place."""
    done = run(environment, "-c", PAGES, str(refused))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "all pages" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("verify", "sst2"),
        ("predict", "sst2", "A slow start, but what an ending."),
        ("measure", "stsb", "--data", "probe", "--variant", "slim-10"),
    ],
    ids=lambda command: command[0],
)
def test_the_command_line_works(environment: dict[str, str], refused: Path, command: tuple[str, ...]) -> None:
    done = run(environment, "-m", "pruning", *command)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not refused.exists(), refused.read_text(encoding="utf-8")


def test_the_server_starts(environment: dict[str, str], refused: Path) -> None:
    with running_dashboard(environment) as dashboard:
        with urllib.request.urlopen(dashboard.address, timeout=30) as page:  # noqa: S310
            assert b"<title>" in page.read()
        where = urlsplit(dashboard.address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers |= {"Sec-WebSocket-Key": "c2xpbXZpei1zbGltdml6IQ==", "Origin": "http://evil.example"}
        connection.request("GET", "/_stcore/stream", headers=headers)
        assert connection.getresponse().status == 403  # Streamlit would ask the network for its own address first
        connection.close()
    assert not refused.exists(), refused.read_text(encoding="utf-8")
