"""A run in a thread: it goes on alone, fails in a line, and ends when its session lets go of it."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pruning.errors import MeasureError
from slimviz.live.background import BackgroundRun
from slimviz.live.run import Step

PATIENCE = 30.0  # seconds


class Run:
    """Stands in for `LiveRun`: steps until it is stopped, or fails at its second one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure, self.stopped, self.begun = failure, threading.Event(), threading.Event()

    def stop(self) -> None:
        self.stopped.set()

    def steps(self) -> Iterator[Step]:
        yield Step(0.5, "half")
        self.begun.set()
        if self.failure is not None:
            raise self.failure
        assert self.stopped.wait(PATIENCE)
        yield Step(1.0, "all")


def start(run: Run) -> BackgroundRun:
    stand_in: Any = run
    return BackgroundRun(stand_in)


def test_it_goes_on_by_itself_until_it_is_stopped() -> None:
    run = Run()
    running = start(run)
    assert run.begun.wait(PATIENCE)
    assert running.step == Step(0.5, "half")
    assert not running.is_over
    run.stop()
    assert running.wait(PATIENCE)
    assert running.is_over
    assert running.error is None
    assert running.step.share == 1.0


@pytest.mark.parametrize(
    ("failure", "said"),
    [(MeasureError("not finite"), "not finite"), (ZeroDivisionError("x"), "The run failed: ZeroDivisionError: x")],
)
def test_what_fails_is_said_in_a_line(failure: Exception, said: str) -> None:
    running = start(Run(failure))
    assert running.wait(PATIENCE)
    assert running.error == said


def test_a_session_that_is_gone_ends_its_run() -> None:
    run = Run()
    running = start(run)
    assert run.begun.wait(PATIENCE)
    del running
    gc.collect()
    assert run.stopped.wait(PATIENCE)


LEAVING = """
import tempfile, threading
folder = tempfile.TemporaryDirectory()  # its own clean-up comes after ours, and that of all others with it
from slimviz.live import background
from slimviz.live.run import Step
background.LAST_BATCH = 1000.0  # it must not be waited for in vain
stop, begun = threading.Event(), threading.Event()
class Run:
    stop = staticmethod(stop.set)
    def steps(self):
        begun.set()
        stop.wait()
        print("ended", flush=True)
        yield Step(1.0, "all")
running = background.BackgroundRun(Run())
begun.wait()
"""


def test_a_server_that_ends_ends_its_runs() -> None:
    done = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
