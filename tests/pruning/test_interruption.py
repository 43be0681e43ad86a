"""Killed at any moment, the same call goes on and ends with the same weights, masks, factors, history and metrics.

Moments are drawn anew in each run and printed at its end; SLIMVIZ_KILL_SEED=<the number printed> draws them again.
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pruning.study import read_study, verify
from tests.factories.own_data import write_csv
from tests.factories.quick_run import SETTING_OPTIONS
from tests.interrupted_run import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SEED = int(os.environ.get("SLIMVIZ_KILL_SEED") or secrets.randbelow(10**6))
CHECKPOINT = r"(staging/)?(checkpoint-\d+|staging)"
# What a run does, in the words of `interrupted_run.Watch`: where it is killed -> events that count as such.
PLACES = {
    "a step of the teacher": r"step_end teacher ",
    "a step of slimming": r"step_end slim ",
    "a step of the first recovery": r"step_end recover-50 ",
    "a step of the second recovery": r"step_end recover-10 ",
    "the end of an epoch": r"epoch_end ",
    "a checkpoint's file half written": rf"torn .*{CHECKPOINT}/[^/]+\.",
    "between a checkpoint's files": rf"open .*{CHECKPOINT}/[^/]+\.",
    "before a checkpoint's rename": r"rename .*staging/checkpoint-\d+$",
    "an old checkpoint's removal": r"(rmtree .*/checkpoint-\d+$|remove (optimizer|scheduler|rng_state|complete))",
    "the teacher's answer half written": r"write states$",
    "before the answers' rename": r"rename .*/cache\.partial$",
    "a result's file half written": r"torn .*/result[^/]*/",
    "before a result's rename": r"rename .*result\.partial$",
    "the stored teacher half written": r"(torn|open) .*/stored[^/]*/",
    "the factors half written": r"torn .*/factors[^/]*$",
    "the curves half written": r"torn .*/ablations[^/]*$",
    "between two stages": r"mkdir (?!.*(partial|staging)).*/[a-z0-9-]+$",
    "right after a rename": r"after rename ",
}


class Server:
    """The other process: see `tests.interrupted_run`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        self.errors = (folder / "server.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.interrupted_run", str(folder)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self._answer()

    def ask(self, action: str, name: str, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"action": action, "name": name, **request}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        assert "error" not in answer, answer
        return answer

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "server.txt").read_text()[-4000:]
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.errors.close()


@pytest.fixture(scope="module")
def log(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines to print at the end of the module: where this run killed."""
    lines: list[str] = []
    yield lines
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and lines:
        reporter.ensure_newline()
        for line in [f"killed at these moments (SLIMVIZ_KILL_SEED={SEED} draws them again):", *lines]:
            reporter.write_line(f"  {line}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("interrupted"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def whole(server: Server) -> dict[str, Any]:
    """What the study ends with when nothing interrupts it, the events on the way, and its seconds."""
    answer = server.ask("study", "whole")
    return answer["result"] | {"seconds": answer["seconds"]}


def assert_alike(found: dict[str, Any], whole: dict[str, Any]) -> None:
    for part in ("scores", "history", "selections", "factors", "weights", "files", "folders"):
        assert found[part] == whole[part], part


def test_the_study_has_something_to_lose(whole: dict[str, Any]) -> None:
    """Each network differs from the next, every stage logs, nothing half-written is left."""
    assert list(whole["weights"]) == ["teacher", "one-shot-50", "slim-50", "one-shot-10", "slim-10"]
    assert len({json.dumps(weights) for weights in whole["weights"].values()}) == 5
    stages = [entry["stage"] for entry in whole["history"]]
    assert list(dict.fromkeys(stages)) == ["teacher", "slim", "recover-50", "recover-10"]
    assert not [path for path in [*whole["files"], *whole["folders"]] if re.search("partial|staging|checkpoint", path)]
    assert len(whole["selections"][0]["pieces"]) > len(whole["selections"][1]["pieces"])


def test_the_same_call_twice_is_alike(server: Server, whole: dict[str, Any]) -> None:
    """What the comparison rests on: nothing but the settings decides the result; and a finished study is only read."""
    again = server.ask("study", "twice")["result"]
    assert_alike(again, whole)
    read = server.ask("study", "twice")["result"]
    assert_alike(read, whole)
    assert not [event for event in read["events"] if "step_end" in event]


@pytest.mark.parametrize("place", PLACES)
def test_killed_once(server: Server, whole: dict[str, Any], log: list[str], place: str) -> None:
    chance = random.Random(f"{SEED} {place}")
    events = whole["events"]
    before = ["", *(f"after {event}" for event in events)]
    moments = [n for n, event in enumerate(events) if any(re.match(PLACES[place], what) for what in (event, before[n]))]
    assert moments
    moment = chance.choice(moments)
    answer = server.ask("study", f"killed-{moment}", strikes=[{"event": moment}])
    log.append(f"{place}: {answer['deaths'][0]} (event {moment} of {len(events)})")
    assert answer["deaths"] == [events[moment]]
    assert_alike(answer["result"], whole)


@pytest.mark.parametrize("by", ["event", "seconds"])
def test_killed_again_and_again(server: Server, whole: dict[str, Any], log: list[str], by: str) -> None:
    """Each call gets a little further, with the remains of all before; by the clock also within a step or a library."""
    chance = random.Random(f"{SEED} again by {by}")
    strikes = [{"event": chance.randrange(len(whole["events"]) // 3)} for _ in range(5)]
    if by == "seconds":
        strikes = [{"seconds": chance.uniform(0.1, 0.6) * whole["seconds"]} for _ in range(2)]
    answer = server.ask("study", f"again-{by}", strikes=strikes)
    log.append(f"again and again by {by}: {', '.join(answer['deaths'])}")
    assert answer["deaths"] or by == "seconds"
    assert_alike(answer["result"], whole)


def arguments(folder: Path, name: str) -> list[str]:
    """A command that runs the whole study on a user's own file."""
    place = ["--output", str(folder / name / "studies"), "--runs", str(folder / name / "runs")]
    own = ["--train-file", str(folder / "own.csv"), "--validation-file", str(folder / "validation.csv")]
    how = ["--backbone", str(folder / "backbone"), "--budgets", "0.5,0.1", "--ship", "0.5,0.1"]
    return ["run", *own, *how, *place, *SETTING_OPTIONS, "--device", "cpu", "--threads", "1", "--quiet"]


@pytest.fixture(scope="module")
def stored(server: Server) -> Path:
    """The study that the command stores when nothing interrupts it."""
    write_csv(server.folder / "own.csv", 56, 0)
    write_csv(server.folder / "validation.csv", 20, 1)
    answer = server.ask("command", "stored", arguments=arguments(server.folder, "stored"))
    assert answer["code"] == 0, answer["stderr"]
    return server.folder / "stored" / "studies" / "own"


@pytest.mark.parametrize(
    ("number", "reached"),
    [(signal.SIGTERM, "slim-*/checkpoint-*"), (signal.SIGINT, "recover-10-*/result")],
    ids=["SIGTERM while training", "Ctrl-C while measuring"],
)
def test_a_signal_ends_the_command_and_it_goes_on(
    server: Server, stored: Path, number: signal.Signals, reached: str
) -> None:
    name = number.name.lower()
    typed = arguments(server.folder, name)
    until = f"{name}/runs/*/{reached}"
    answer = server.ask("signal", name, arguments=typed, number=int(number), until=until)
    assert answer["code"] == 130, answer
    *said, last = answer["stderr"].splitlines()
    assert last == "pruning: interrupted; the same command goes on where it was"
    assert all(line.startswith(("scoring ", "timing ")) for line in said)  # the signal comes when it comes
    assert answer["stdout"] == ""
    assert list((server.folder / name / "studies").iterdir()) == []
    again = server.ask("command", name, arguments=typed)
    assert again["code"] == 0, again["stderr"]
    found, expected = read_study(server.folder / name / "studies" / "own"), read_study(stored)
    assert verify(found.folder) == []
    # Weights, masks, factors, history: the same to the byte. The cards have a date.
    files = [
        {name: entry for name, entry in study.document.files.items() if name[-3:] != ".md"}
        for study in (found, expected)
    ]
    assert files[0] == files[1]
    assert "slim-10/model.safetensors" in files[0]
    for part in ("task", "config", "floor", "selections", "smallest_total_density"):
        assert getattr(found.document, part) == getattr(expected.document, part), part
    assert [row.metrics for row in found.results] == [row.metrics for row in expected.results]
