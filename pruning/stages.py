"""What a stage of a run is: who it is, where its results lie, who may work on it, and what it cost.

A stage's identity is the hash of its whole settings and inputs: of data, backbone and precision, of its own settings,
and of the stages that it builds on. Its folder is named by that hash, and ``stage.json`` in it says in clear what was
hashed; so nothing made otherwise is ever picked up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from pruning.errors import TrainingError
from pruning.files import disk_errors_named, locked, written_aside
from pruning.records import to_plain
from pruning.training import processes

FORMAT = 1  # of what stages leave behind; another one finds nothing that an older one made
IDENTITY, SECONDS = "stage.json", "seconds.json"


@dataclass(frozen=True)
class Stage:
    """One step of a run.

    Attributes:
        name: "teacher", "recover-10".
        folder: where its results lie.
        identity: hash of all that they depend on.
    """

    name: str
    folder: Path
    identity: str


@dataclass(frozen=True)
class Stages:
    """The stages of one run.

    Attributes:
        folder: that their folders go into.
        inputs: what all of them depend on, as plain JSON values.
        say: called with a line that a person should read.
        seconds: stage -> seconds spent on it, over all interrupted runs; filled in as they end.
    """

    folder: Path
    inputs: Mapping[str, Any]
    say: Callable[[str], None] = lambda line: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def enter(self, name: str, settings: Mapping[str, Any], *earlier: Stage) -> Iterator[Stage]:
        """Work on a stage, alone; where another run is at it, wait for that, and find what it made.

        Of several processes the main one locks; the others follow when it has.

        Args:
            name: of the stage.
            settings: all that it depends on besides the run's inputs; records, or plain JSON values.
            earlier: stages that it builds on.

        Raises:
            TrainingError: the disk is full, or the folder is another stage's.
        """
        described = {
            "format": FORMAT,
            "stage": name,
            "settings": to_plain(dict(settings)),
            "inputs": to_plain(dict(self.inputs)),
            "after": {stage.name: stage.identity for stage in earlier},
        }
        identity = hashlib.sha256(_json(described).encode()).hexdigest()
        stage = Stage(name, self.folder / f"{name}-{identity[:12]}", identity)
        with disk_errors_named(stage.folder):
            if not processes.is_main():
                processes.wait()
                yield stage
                return
            stage.folder.mkdir(parents=True, exist_ok=True)
            with locked(stage.folder, lambda: self.say(f"{name}: another run is at this stage, waiting for it")):
                _describe(stage, described)
                processes.wait()
                with self._timed(stage):
                    yield stage

    @contextmanager
    def _timed(self, stage: Stage) -> Iterator[None]:
        """Add the time spent inside, unless the stage was finished before."""
        path = stage.folder / SECONDS
        earlier, was_finished = _read_seconds(path)
        start, is_finished = perf_counter(), False
        try:
            yield
            is_finished = True
        finally:
            self.seconds[stage.name] = earlier + (0.0 if was_finished else perf_counter() - start)
            if not was_finished:
                with suppress(OSError), written_aside(path) as aside:  # what it cost is no reason to fail
                    aside.write_text(_json({"seconds": self.seconds[stage.name], "finished": is_finished}), "utf-8")


def _describe(stage: Stage, described: dict[str, Any]) -> None:
    path, text = stage.folder / IDENTITY, _json(described, indent=1) + "\n"
    if not path.is_file():
        with written_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        raise TrainingError(f"{path}: describes another stage, expected {stage.name} with these settings; remove it")


def _read_seconds(path: Path) -> tuple[float, bool]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return float(stored["seconds"]), bool(stored["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, False


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, sort_keys=True, indent=indent, ensure_ascii=False)
