"""A tiny study that is killed on purpose: `tests/pruning/test_interruption.py` starts this once and then talks to it.

    python -m tests.interrupted_run FOLDER

What is heavy is imported once; each request, a line of JSON on standard input, is served by forked children and
answered by a line on standard output:

    {"action": "study", "name": "a", "strikes": [{"event": 17}, {"seconds": 0.4}]}
        Run the study in ``FOLDER/a``, the first child killed at its 18th event, the second after 0.4 seconds, the
        third left alone. An event is a change to the disk or a step of training.
    {"action": "command", "name": "b", "arguments": [...]}
        Run ``python -m pruning ARGUMENTS`` to its end, without the parts that only measure the machine.
    {"action": "signal", "name": "b", "arguments": [...], "number": 2, "until": "b/runs/**/checkpoint-*"}
        Start that command for real, and send it a signal once such a path is there.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.study_data import StudyData
from pruning.data.tasks import custom_task
from tests.factories.own_data import made_up
from tests.factories.quick_run import BUDGETS, SETTINGS, quick_measurements

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS, LONGEST_SECONDS = 0.005, 300


# ---- the study ---------------------------------------------------------------------------------------------------


def digest(run: Any, runs: Path) -> dict[str, Any]:
    """All that a run ends with, as plain values: two runs are alike to the bit where these are equal."""
    from pruning.measure.scoring import score
    from pruning.records import to_plain
    from pruning.study.arrays import encode_cuts, encode_factors

    networks, data = run.by_variant(), run.context.data
    files = {str(path.relative_to(runs)): _sha256(path.read_bytes()) for path in runs.rglob("*") if path.is_file()}
    scores = score(data.task, networks, data.validation["validation"], "validation")
    return {
        "files": {name: value for name, value in files.items() if not name.endswith("seconds.json")},
        "folders": sorted(str(path.relative_to(runs)) for path in runs.rglob("*") if path.is_dir()),
        "weights": {variant.name: _weights(network.model) for variant, network in networks.items()},
        "factors": _sha256(encode_factors(run.factors)),
        "selections": [
            {"pieces": selection.pieces.tolist(), "rank": selection.rank, "all": _sha256(encode_cuts({"": selection}))}
            for selection in (network.cut.selection for network in run.networks)
        ],
        "history": run.history,
        "scores": [to_plain(row) for row in scores],
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _weights(network: Any) -> dict[str, str]:
    return {name: _sha256(tensor.contiguous().numpy().tobytes()) for name, tensor in network.state_dict().items()}


# ---- in a child: count events, and die at one of them ------------------------------------------------------------


class Watch:
    """Numbers the changes that a run makes to the disk and its steps; kills the process at one of them.

    Args:
        root: only what happens below it counts.
        strike: number of the event to die at, or None.
        died: file that gets the event's name.
    """

    def __init__(self, root: Path, strike: int | None, died: Path) -> None:
        self.root, self.strike, self.died = f"{root}/", strike, died
        self.events: list[str] = []

    def start(self) -> None:
        """Hook into everything that writes; there is no way back, so this is for a child."""
        import safetensors.numpy
        import safetensors.torch
        import torch

        from pruning.training import teacher_cache
        from pruning.training.progress import StudyProgress

        sys.addaudithook(self._on_audit)
        for module in (safetensors.numpy, safetensors.torch):
            module.serialize_file = self._torn(module.serialize_file, 1)  # type: ignore[attr-defined]
        torch.save = self._torn(torch.save, 1)
        Path.write_text = self._torn(Path.write_text, 0)  # type: ignore[method-assign]
        Path.write_bytes = self._torn(Path.write_bytes, 0)  # type: ignore[method-assign]
        teacher_cache._write_states = self._half(teacher_cache._write_states)
        for name in ("on_step_end", "on_epoch_end"):
            setattr(StudyProgress, name, self._announced(getattr(StudyProgress, name), name))

    def event(self, label: str, before_death: Callable[[], Any] | None = None) -> None:
        """Count one event; die where it is the one."""
        self.events.append(label)
        if self.strike == len(self.events) - 1:
            if before_death is not None:
                before_death()
            handle = os.open(self.died, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.write(handle, label.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def _on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR):
                self._change("open", path)
        elif event in ("os.mkdir", "os.rename", "shutil.rmtree"):
            self._change(event.partition(".")[2], arguments[0])
        elif event == "os.remove" and arguments[1] not in (None, -1):  # inside a folder that is being removed
            self.event(f"remove {os.fsdecode(arguments[0])}")

    def _change(self, what: str, path: Any) -> None:
        if isinstance(path, (str, bytes, os.PathLike)) and (name := os.fsdecode(path)).startswith(self.root):
            self.event(f"{what} {name.removeprefix(self.root)}")

    def _torn(self, write: Callable, place: int) -> Callable:
        """A writer after which the file may be cut short, as if death came while it wrote."""

        def torn_write(*arguments: Any, **named: Any) -> Any:
            result = write(*arguments, **named)
            name = os.fsdecode(arguments[place])
            if name.startswith(self.root):
                size = Path(name).stat().st_size
                kept = random.Random(size).randrange(max(1, size))
                self.event(f"torn {name.removeprefix(self.root)}", lambda: os.truncate(name, kept))
            return result

        return torn_write

    def _half(self, write: Callable) -> Callable:
        def half_write(file: Any, states: np.ndarray) -> None:
            self.event("write states", lambda: (write(file, states[: len(states) // 2]), file.flush()))
            write(file, states)

        return half_write

    def _announced(self, method: Callable, name: str) -> Callable:
        def announced(progress: Any, args: Any, state: Any, *rest: Any, **named: Any) -> Any:
            self.event(f"{name.removeprefix('on_')} {progress.name} {state.global_step}")
            return method(progress, args, state, *rest, **named)

        return announced


def run_study(folder: Path, name: str, strike: int | None) -> dict[str, Any]:
    """The study, in this process; what it ended with and the events on the way."""
    from pruning.config import StudyConfig, with_settings
    from pruning.pipeline import make_networks
    from pruning.training.prepare import prepare

    runs = folder / name / "runs"
    data = StudyData(
        custom_task("own", ("text",), ("no", "yes")),
        made_up(56, 0),
        {"validation": made_up(20, 1)},
        "made up",
        Examples(made_up(12, 2).texts, None, np.full(12, -1), "made-up texts without labels", is_labelled=False),
    )
    config = with_settings(StudyConfig(), SETTINGS | {"backbone": str(folder / "backbone"), "budgets": BUDGETS})
    watch = Watch(runs, strike, folder / name / "died")
    watch.start()
    run = make_networks(prepare(config, data, device="cpu", quiet=True), runs)
    events = list(watch.events)
    return digest(run, runs) | {"events": events}


def run_command(arguments: list[str]) -> int:
    """A command, in this process."""
    from pruning.cli import main as command_line

    with quick_measurements():
        return command_line.main(arguments)


# ---- the server --------------------------------------------------------------------------------------------------


def fork(folder: Path, work: Callable[[], Any], seconds: float | None = None) -> tuple[int, Any]:
    """Run `work` in a child with its output in files; exit code (minus the signal) and what it returned."""
    folder.mkdir(exist_ok=True)
    result = folder / "result.json"
    result.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for handle, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), handle)
            partial = folder / "result.partial"
            partial.write_text(json.dumps(work()))
            partial.rename(result)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    deadline, ended = time.monotonic() + (seconds or 0), 0
    while seconds is not None and not ended and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        ended, status = os.waitpid(child, os.WNOHANG)
    if seconds is not None and not ended:
        os.kill(child, signal.SIGKILL)
    if not ended:
        status = os.waitpid(child, 0)[1]
    code = os.waitstatus_to_exitcode(status)
    return code, json.loads(result.read_text()) if result.is_file() else None


def study(folder: Path, name: str, strikes: list[dict[str, Any]]) -> dict[str, Any]:
    """Run the study again and again until none of the strikes is left; where it died, and what it ended with."""
    place = folder / name
    deaths = []
    began = time.monotonic()
    for strike in [*strikes, {}]:
        event = strike.get("event")
        (place / "died").unlink(missing_ok=True)
        code, result = fork(place, lambda event=event: run_study(folder, name, event), strike.get("seconds"))
        if code == 0:
            break
        if code != -signal.SIGKILL or not strike:
            return {"error": f"exit code {code}", "stderr": (place / "stderr").read_text()[-4000:]}
        deaths.append((place / "died").read_text() if event is not None else f"after {strike['seconds']:.3f} s")
    return {"deaths": deaths, "result": result, "seconds": time.monotonic() - began}


def command(folder: Path, name: str, arguments: list[str]) -> dict[str, Any]:
    """A command in a child; its exit code and output."""

    def work() -> None:
        sys.exit(run_command(arguments))

    code, _ = fork(folder / name, work)
    return {"code": code} | {stream: (folder / name / stream).read_text() for stream in ("stdout", "stderr")}


def interrupted_command(folder: Path, arguments: list[str], number: int, until: str) -> dict[str, Any]:
    """A command in a process of its own, sent a signal once a path is there; its exit code and output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pruning", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Started by a shell in the background, all processes ignore Ctrl-C, this one's children included.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + LONGEST_SECONDS
    while process.poll() is None and not any(folder.glob(until)) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    process.send_signal(number)
    try:
        stdout, stderr = process.communicate(timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    return {"code": process.returncode, "stdout": stdout, "stderr": stderr}


def serve(folder: Path) -> None:
    """Answer requests until standard input ends."""
    import torch

    torch.set_num_threads(1)  # no threads, so that a child has all that its parent had
    import peft  # noqa: F401
    from transformers.utils import logging

    from pruning import pipeline  # noqa: F401
    from pruning.cli import main as command_line  # noqa: F401
    from tests.factories.tiny_backbone import write_backbone

    logging.disable_progress_bar()  # bars have a thread, too
    write_backbone(folder / "backbone")
    gc.collect()
    gc.freeze()  # the Trainer collects garbage whenever it starts; what was imported need not be searched each time
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    actions: dict[str, Callable[..., dict[str, Any]]] = {
        "study": lambda request: study(folder, request["name"], request.get("strikes", [])),
        "command": lambda request: command(folder, request["name"], request["arguments"]),
        "signal": lambda request: interrupted_command(
            folder, request["arguments"], request["number"], request["until"]
        ),
    }
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(actions[request["action"]](request)), file=answers, flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
