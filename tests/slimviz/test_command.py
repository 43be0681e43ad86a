"""The command `slimviz`: what it is called, what it refuses, and how it starts the dashboard."""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
import pytest

from benchmarks.dashboard import ROOT, running_dashboard
from pruning.cli.main import COMMANDS
from pruning.cli.options import Command
from slimviz import command, server
from tests.factories.synthetic_study import write_study
from tests.pruning.cli.commands import Result

CONFIG = ".streamlit/config.toml"


def call(*arguments: str, program: str = "slimviz") -> Result:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = command.main(list(arguments), program=program)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def refused(*arguments: str) -> str:
    """The one line of a command that must fail with exit code 2."""
    result = call(*arguments)
    assert (result.code, result.out) == (2, ""), result
    (line,) = result.err.splitlines()
    return line


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What Streamlit is given, each time that it would be started."""
    given: list[list[str]] = []
    monkeypatch.setattr("streamlit.web.cli.main", lambda arguments, **_: given.append(arguments))
    monkeypatch.setenv("SLIMVIZ_STUDIES", "")
    return given


@pytest.mark.parametrize("program", ["slimviz", "python -m slimviz"])
def test_help_names_what_was_typed_and_every_command(program: str) -> None:
    said = call("--help", program=program)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"usage: {program} [-h]")
    assert f"\n  {program} run --task sst2" in said.out
    assert "python -m pruning" not in said.out
    for name in [*(each.name for each in COMMANDS), "dashboard"]:
        assert re.search(rf"^    {name}\s+\w", said.out, re.MULTILINE), name
        assert call(name, "--help", program=program).out.startswith(f"usage: {program} {name} ")


def test_a_study_records_what_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[str] = []
    spy = Command("spy", "look", lambda parser: None, lambda options: typed.append(options.command_typed) or 0)
    monkeypatch.setattr(command, "DASHBOARD", spy)
    assert call("spy").code == call("spy", program="python -m slimviz").code == 0
    assert typed == ["slimviz spy", "python -m slimviz spy"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["dashboard", "{tmp}/nowhere"], "dashboard: '{tmp}/nowhere': no such folder, expected one with studies"),
        (["dashboard", "{tmp}/file"], "dashboard: '{tmp}/file': no such folder, "),
        (["dashboard", "x" * 5000], "dashboard: 'xxxx"),
        (["dashboard", ""], "dashboard: argument FOLDER: '': expected a file, a folder or a name"),
        (["dashboard", "--port", "0"], "dashboard: argument --port: '0': expected a whole number from 1 to 65535"),
        (["dashboard", "--port", "65536"], "dashboard: argument --port: '65536': expected"),
        (["dashboard", "--port", "http"], "dashboard: argument --port: 'http': expected"),
        (["predict", "sst2"], "predict: expected either a text or --file FILE"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(tmp_path: Path, started: list, arguments: list[str], expected: str) -> None:
    (tmp_path / "file").touch()
    line = refused(*(each.replace("{tmp}", str(tmp_path)) for each in arguments))
    assert line.startswith("slimviz: " + expected.replace("{tmp}", str(tmp_path)))
    assert len(line) < 600
    assert not started


def test_a_folder_that_the_variable_cannot_hold_is_one_line(tmp_path: Path, started: list) -> None:
    (tmp_path / "a:b").mkdir()
    assert os.pathsep == ":"
    assert "expected a path without ':'" in refused("dashboard", str(tmp_path / "a:b"))
    assert not started


def test_a_port_that_is_taken_is_one_line(started: list) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        number = taken.getsockname()[1]
        line = refused("dashboard", "--port", str(number))
    assert line == f"slimviz: dashboard: --port {number}: Address already in use, expected a free one"
    assert not started


def test_folders_are_put_before_those_that_are_known(
    tmp_path: Path, started: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path / "mine", "sst2", shipped=())
    monkeypatch.setenv("SLIMVIZ_STUDIES", "known")
    monkeypatch.chdir(tmp_path)
    said = call("dashboard", "mine", "mine/sst2", ".", "--no-browser")
    assert (said.code, said.err) == (0, ".: no study is there yet\n")
    folders = [tmp_path / "mine", tmp_path / "mine" / "sst2", tmp_path, "known"]
    assert os.environ["SLIMVIZ_STUDIES"] == ":".join(map(str, folders))
    assert started == [["run", str(ROOT / "app.py"), "--server.headless", "true"]]


@pytest.mark.parametrize("way", [KeyboardInterrupt, click.Abort])
def test_leaving_it_is_no_failure(monkeypatch: pytest.MonkeyPatch, way: type[BaseException]) -> None:
    def leave(*_: object, **__: object) -> None:
        raise way

    monkeypatch.setattr("streamlit.web.cli.main", leave)
    monkeypatch.setenv("SLIMVIZ_STUDIES", "")
    assert call("dashboard") == Result(0, "", "")


def test_the_script_is_the_installed_one_where_there_is_one(tmp_path: Path) -> None:
    assert command.app_file() == ROOT / "app.py"
    package = tmp_path / "slimviz"
    assert command.app_file(package) == tmp_path / "app.py"
    (package / "dashboard").mkdir(parents=True)
    (package / "dashboard" / "app.py").touch()
    assert command.app_file(package) == package / "dashboard" / "app.py"


def answer(address: str, *, host: str = "localhost") -> tuple[int, dict[str, str | None]]:
    """Status and safety headers of what the server says to whoever calls it by a name."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.request("GET", "/", headers={"Host": host})
    found = connection.getresponse()
    connection.close()
    return found.status, {name: found.headers[name] for name in server.SAFETY_HEADERS}


def test_it_serves_from_any_folder_with_the_safe_settings(tmp_path: Path) -> None:
    """Even where the folder that it is started in says otherwise."""
    folder, home = tmp_path / "elsewhere", tmp_path / "home"
    (folder / CONFIG).parent.mkdir(parents=True)
    (folder / CONFIG).write_text('[server]\naddress = "0.0.0.0"\nallowedHosts = []\n', encoding="utf-8")
    home.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)}
    typed = (sys.executable, "-m", "slimviz", "dashboard", "--no-browser", "--port")
    with running_dashboard(environment, command=typed, folder=folder) as dashboard:
        assert answer(dashboard.address) == (200, server.SAFETY_HEADERS)
        assert answer(dashboard.address, host="evil.example") == (400, server.SAFETY_HEADERS)
        with pytest.raises(ConnectionRefusedError):  # 127.0.0.2 answers where every address is listened on
            answer(dashboard.address.replace("localhost", "127.0.0.2"))
    assert list(home.rglob("*")) == []  # no question was asked, and none answered
