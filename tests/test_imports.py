"""What must start quickly loads nothing heavy: each case in a process of its own."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories.synthetic_study import write_study

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "datasets",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "streamlit",
}
# Modules that only read or compute with NumPy, beside those that the dashboard imports as it starts.
LIGHT = {"pruning.config", "pruning.measure.metrics", "pruning.study.read", "pruning.study.verify"}
COMMAND = """
import runpy, sys
sys.argv = ["", *{arguments!r}]
try:
    runpy.run_module({module!r}, run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
"""


def imported_by_the_dashboard() -> set[str]:
    """Modules of `pruning` that slimviz imports at the top of its own."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "slimviz").rglob("*.py")]
    imports = [node for tree in trees for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {node.module for node in imports if node.module and node.module.startswith("pruning.")}


def loaded_by(code: str) -> set[str]:
    """Heavy libraries that a piece of code leaves imported."""
    report = f"\nimport json, sys\nprint(json.dumps(sorted({HEAVY!r} & sys.modules.keys())), file=sys.stderr)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code + report], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_check_sees_what_is_loaded() -> None:
    assert loaded_by("import pandas") >= {"pandas"}


def test_what_the_dashboard_imports_loads_nothing_heavy() -> None:
    modules = LIGHT | imported_by_the_dashboard()
    assert len(modules) > len(LIGHT)
    assert loaded_by("import " + ", ".join(["pruning", *sorted(modules)])) == set()


@pytest.mark.parametrize(
    "typed",
    [
        "--help",
        "run --help",
        "measure --help",
        "list --json",
        "list --studies {folder}",
        "verify {folder}/sst2",
        "advise {folder}/sst2 --ms 5",
    ],
)
def test_looking_around_loads_nothing_heavy(tmp_path: Path, typed: str) -> None:
    write_study(tmp_path, "sst2", shipped=())
    given = [part.format(folder=tmp_path) for part in typed.split()]
    assert loaded_by(COMMAND.format(module="pruning", arguments=given)) == set()


@pytest.mark.parametrize("typed", ["--help", "dashboard --help", "list"])
def test_nor_does_the_command_that_also_starts_the_dashboard(typed: str) -> None:
    assert loaded_by(COMMAND.format(module="slimviz", arguments=typed.split())) == set()
