"""A run in a thread of its own: it goes on while its visitor looks at other pages, and ends with their session."""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Protocol

from pruning.errors import SlimVizError
from slimviz.live.run import Step

logger = logging.getLogger(__name__)
LAST_BATCH = 10.0  # seconds that a run may take to end where the server does
_at_work: weakref.WeakKeyDictionary[threading.Thread, Run] = weakref.WeakKeyDictionary()


@atexit.register
def _let_them_end() -> None:
    """A thread that computes while the interpreter goes away would abort the process."""
    for run in list(_at_work.values()):
        run.stop()
    for thread in list(_at_work):
        thread.join(LAST_BATCH)


class Run(Protocol):
    """Work in steps, between any two of which it may be stopped."""

    def steps(self) -> Iterator[Step]:
        """Do the work until all is done or `stop` is called."""
        ...

    def stop(self) -> None:
        """Have `steps` end after the one in hand."""
        ...

    def rows(self) -> list[dict[str, Any]]:
        """What has been measured by now, a row a network."""
        ...


class _Progress:
    """What the thread says of its work; it knows nothing of the session, which may be gone."""

    def __init__(self) -> None:
        self.step = Step(0.0, "warming up …")
        self.error: str | None = None
        self.over = threading.Event()


class BackgroundRun:
    """A run at work. Only the session holds this: once that is dropped, the run ends after the batch in hand."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._progress = _Progress()
        weakref.finalize(self, run.stop)
        thread = threading.Thread(target=_work, args=(run, self._progress), name="slimviz-live", daemon=True)
        _at_work[thread] = run
        thread.start()

    @property
    def step(self) -> Step:
        """How far it is."""
        return self._progress.step

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended: all done, stopped, or failed."""
        return self._progress.over.is_set()

    @property
    def error(self) -> str | None:
        """What made it fail, in a line."""
        return self._progress.error

    def wait(self, seconds: float) -> bool:
        """Wait for the end; says whether it came."""
        return self._progress.over.wait(seconds)


def _work(run: Run, progress: _Progress) -> None:
    try:
        for step in run.steps():
            progress.step = step
    except SlimVizError as error:
        progress.error = str(error)
    except Exception as error:  # a thread that dies in silence would leave its visitor waiting
        logger.exception("a live run failed")
        progress.error = f"The run failed: {type(error).__name__}: {error}"
    finally:
        progress.over.set()
