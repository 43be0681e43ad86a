"""The wheel, built and installed into a folder of its own, and used from an empty one, away from the checkout."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from benchmarks.dashboard import ROOT, running_dashboard
from pruning.data import TASKS, load_probe
from slimviz import server
from tests.pruning.cli.commands import call

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
PREDICT = ("predict", "sst2", "A warm, funny film.", "--variant", "slim-10", "--device", "cpu", "--json")
LOOK = """
import json
from importlib.util import find_spec
from pruning.data import TASKS, load_probe
from pruning.measure.environment import current_commit
from pruning.study import BUNDLED
import pruning, slimviz
probes = {}
for task in TASKS.values():
    probes[task.name] = len(load_probe(task, task.validation[0]).texts)
found = [name for name in ("app", "assets", "tests", "benchmarks") if find_spec(name)]
print(json.dumps([pruning.__file__, slimviz.__file__, str(BUNDLED), probes, current_commit(), found]))
"""
PAGES = """
import sys
from streamlit.testing.v1 import AppTest
from slimviz.command import app_file
page = AppTest.from_file(str(app_file()), default_timeout=300)
page.run()
assert not page.exception and not page.error and not page.warning, (page.exception, page.error, page.warning)
assert page.title and not page.info, "no studies were found"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that holds the installed wheel; the libraries are this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    building = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(building, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}; expected what requirements-dev.txt names"
    (wheel,) = folder.glob("slimviz-*-py3-none-any.whl")
    installing = [*PIP, "install", "--no-deps", "--no-index", "--no-compile", "--target", str(folder / "site"), wheel]
    subprocess.run(installing, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    return folder / "site"


@pytest.fixture
def environment(site: Path, tmp_path: Path) -> dict[str, str]:
    """Variables of a process that finds the installed packages and no checkout, and nothing of the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLIMVIZ_", "STREAMLIT_"))}
    return kept | {"PYTHONPATH": str(site), "HOME": str(tmp_path / "home"), "SLIMVIZ_STUDIES": ""}


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder to start from."""
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def run(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """Standard output of a command that must end well."""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def files(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """Contents by path, without what Python compiled."""
    found = [path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_wheel_holds_what_is_needed_and_no_more(site: Path) -> None:
    (distribution,) = importlib.metadata.distributions(name="slimviz", path=[str(site)])
    version = distribution.version
    assert {path.name for path in site.iterdir()} == {"bin", "pruning", "slimviz", f"slimviz-{version}.dist-info"}
    assert files(site / "pruning", "*.py") == files(ROOT / "pruning", "*.py")
    dashboard = {f"dashboard/{name}": (ROOT / name).read_bytes() for name in ("app.py", ".streamlit/config.toml")}
    assert files(site / "slimviz") == files(ROOT / "slimviz", "*.py") | dashboard
    kinds = {"studies", "probe", "profiles", "rivals"}
    for kind in kinds:
        assert files(site / "pruning" / "assets" / kind) == files(ROOT / "assets" / kind)
    assert {path.name for path in (site / "pruning" / "assets").iterdir()} == kinds
    licenses = site / f"slimviz-{version}.dist-info" / "licenses"
    assert files(licenses) == {name: (ROOT / name).read_bytes() for name in ("LICENSE", "NOTICE")}


def test_its_dependencies_are_those_of_the_requirements(site: Path) -> None:
    (distribution,) = importlib.metadata.distributions(name="slimviz", path=[str(site)])
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(distribution.requires or []) == sorted(line for line in lines if line and not line.startswith("#"))


def test_what_ships_is_found_in_it_and_a_commit_is_not_made_up(
    site: Path, environment: dict[str, str], empty: Path
) -> None:
    backend, frontend, bundled, probes, commit, strangers = json.loads(
        run([sys.executable, "-c", LOOK], environment, empty)
    )
    assert (backend, frontend) == (str(site / "pruning" / "__init__.py"), str(site / "slimviz" / "__init__.py"))
    assert bundled == str(site / "pruning" / "assets" / "studies")
    assert probes == {task.name: len(load_probe(task, task.validation[0]).texts) for task in TASKS.values()}
    assert commit is None
    assert strangers == []


def test_both_commands_list_the_shipped_studies(site: Path, environment: dict[str, str], empty: Path) -> None:
    expected = sorted(path.parent.name for path in (ROOT / "assets" / "studies").glob("*/study.json"))
    for command in ([str(site / "bin" / "slimviz")], [sys.executable, "-m", "pruning"]):
        lines = run([*command, "list"], environment, empty).splitlines()
        assert [line.split()[0] for line in lines] == expected
        assert all(str(site) in line for line in lines)


def test_a_shipped_network_answers_as_it_does_in_the_checkout(
    site: Path, environment: dict[str, str], empty: Path
) -> None:
    installed = json.loads(run([str(site / "bin" / "slimviz"), *PREDICT], environment, empty))
    said, expected = (found["answers"][0]["variants"]["slim-10"] for found in (installed, call(*PREDICT).json))
    assert said["label"] == expected["label"] == "positive"
    assert said["probability"] == pytest.approx(expected["probability"], abs=1e-5)


def test_the_dashboard_serves_and_shows_the_shipped_studies(
    site: Path, environment: dict[str, str], empty: Path
) -> None:
    typed = (str(site / "bin" / "slimviz"), "dashboard", "--no-browser", "--port")
    with (
        running_dashboard(environment, command=typed, folder=empty) as dashboard,
        urllib.request.urlopen(dashboard.address, timeout=30) as page,  # noqa: S310  # our own server
    ):
        assert {name: page.headers[name] for name in server.SAFETY_HEADERS} == server.SAFETY_HEADERS
        assert b"__streamlit" in page.read()  # ours, told where its server is
    run([sys.executable, "-c", PAGES], environment, empty)
    assert list(empty.iterdir()) == []
