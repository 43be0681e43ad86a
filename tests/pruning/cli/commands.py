"""Commands run in this process, and tiny studies that they make, for the tests of the command line."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruning.cli.main import main
from tests.factories.quick_run import SETTING_OPTIONS


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one object that it must be."""
        return json.loads(self.out)


Command = Callable[..., Result]


def call(*arguments: Any) -> Result:
    """Run a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Result(code, out.getvalue(), err.getvalue())


def refused(*arguments: Any) -> str:
    """Run a command that must fail with exit code 2 and one line on standard error; returns the line."""
    result = call(*arguments)
    assert (result.code, result.out) == (2, ""), result
    (line,) = result.err.splitlines()
    assert line.startswith("pruning: ")
    assert line.isprintable()
    assert len(line) <= 600
    return line.removeprefix("pruning: ")


@dataclass(frozen=True)
class Made:
    """A folder with a backbone and examples; the study that a command made there, and what was printed."""

    folder: Path
    typed: list[str]
    result: Result | None = None

    @property
    def backbone(self) -> Path:
        return self.folder / "backbone"

    @property
    def study(self) -> Path:
        return self.folder / "studies" / "own"


def run_arguments(folder: Path, *own: Any, budgets: str = "0.3") -> list[str]:
    """Arguments of ``run`` with tiny settings."""
    places = ["--output", folder / "studies", "--runs", folder / "runs", "--backbone", folder / "backbone"]
    how = ["--budgets", budgets, *SETTING_OPTIONS, "--device", "cpu", "--quiet"]
    return [str(part) for part in ("run", *own, *places, *how)]


def make(folder: Path, *own: Any, budgets: str = "0.3") -> Made:
    """Make a study."""
    typed = run_arguments(folder, *own, budgets=budgets)
    return Made(folder, typed, call(*typed))


def content(folder: Path) -> dict[str, str]:
    """Checksums of all files of a folder."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def copy_study(study: Path, folder: Path) -> Path:
    """A copy of a study that may be damaged."""
    return Path(shutil.copytree(study, folder / study.name))
