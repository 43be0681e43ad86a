"""``slimviz``: the commands of ``python -m pruning``, and ``slimviz dashboard my-studies``."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import socket
from collections.abc import Sequence
from pathlib import Path

from pruning.cli import main as command_line
from pruning.cli.options import Command, path
from pruning.cli.printing import say
from pruning.errors import ConfigError, StoreError, quoted
from pruning.study.read import FOLDERS_VARIABLE, list_studies

PACKAGE = Path(__file__).resolve().parent
MOST_PORT = 65535


def main(arguments: Sequence[str] | None = None, *, program: str = "slimviz") -> int:
    """Run a command; returns the exit code. See `pruning.cli.main.main`."""
    return command_line.main(arguments, program=program, further=(DASHBOARD,))


def add_options(command: argparse.ArgumentParser) -> None:
    """What is shown, and where."""
    command.add_argument(
        "folders",
        type=path,
        nargs="*",
        metavar="FOLDER",
        help=f"a folder of studies, or a study's own, shown beside those that ship and those of ${FOLDERS_VARIABLE}",
    )
    command.add_argument("--port", type=port, metavar="N", help="port on this machine; default: 8501, or the next free")
    command.add_argument("--no-browser", action="store_true", help="open no browser; print the address alone")


def port(text: str) -> int:
    """1 to `MOST_PORT`."""
    if re.fullmatch(r"[0-9]{1,5}", text) is None or not 1 <= int(text) <= MOST_PORT:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected a whole number from 1 to {MOST_PORT}")
    return int(text)


def dashboard(options: argparse.Namespace) -> int:
    """Serve the dashboard until it is interrupted."""
    folders = [existing_folder(name) for name in options.folders]
    if options.port is not None:
        require_free(options.port)
    for name, folder in zip(options.folders, folders, strict=True):
        if not list_studies([folder]):
            say(f"{name}: no study is there yet")
    known = os.environ.get(FOLDERS_VARIABLE, "")
    os.environ[FOLDERS_VARIABLE] = os.pathsep.join([*map(str, folders), *filter(None, [known])])
    flags = [] if options.port is None else ["--server.port", str(options.port)]
    flags += ["--server.headless", "true"] if options.no_browser else []

    import click
    from streamlit.web import cli

    with contextlib.suppress(KeyboardInterrupt, click.Abort):  # how one leaves it
        try:
            cli.main(["run", str(app_file()), *flags], prog_name="streamlit", standalone_mode=False)
        except click.ClickException as error:  # one of Streamlit's own variables has a value that it cannot have
            raise ConfigError(f"dashboard: Streamlit: {error.format_message()}") from None
    return 0


def app_file(package: Path = PACKAGE) -> Path:
    """The script that Streamlit runs, with `.streamlit/config.toml` beside it: a wheel's, else the checkout's.

    Streamlit reads the settings beside its script wherever it was started, over those of the folder it was started in.
    """
    installed = package / "dashboard" / "app.py"
    return installed if installed.is_file() else package.parent / "app.py"


def existing_folder(name: str) -> Path:
    """The folder that was typed, in full.

    Raises:
        StoreError: it is none, or the variable that it goes into cannot hold it.
    """
    folder = Path(name).expanduser()
    try:
        there = folder.is_dir()
    except OSError:  # a name too long to be one
        there = False
    if not there:
        raise StoreError(f"dashboard: {quoted(name, 200)}: no such folder, expected one with studies, or a study's own")
    folder = folder.resolve()
    if os.pathsep in str(folder):
        raise StoreError(f"dashboard: {quoted(name, 200)}: expected a path without {os.pathsep!r}, which parts folders")
    return folder


def require_free(number: int) -> None:
    """Check that a port can be served on.

    Raises:
        ConfigError: something else is served there, or the system does not allow it.
    """
    try:
        socket.create_server(("localhost", number)).close()
    except OSError as error:
        raise ConfigError(f"dashboard: --port {number}: {os.strerror(error.errno or 0)}, expected a free one") from None


DASHBOARD = Command("dashboard", "show studies in the browser", add_options, dashboard)
