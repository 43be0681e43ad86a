"""Runs of Live in tests: they work in a thread, so the page is asked again once that has ended."""

from __future__ import annotations

import time

from streamlit.testing.v1 import AppTest

from slimviz.pages.live import RUNNING

EXAMPLES = 32  # of each probe set
PATIENCE = 120.0  # seconds


def measure(page: AppTest) -> AppTest:
    """Click, and wait for the results."""
    return finished(started(page))


def started(page: AppTest) -> AppTest:
    """Click alone."""
    next(button for button in page.button if button.label == "Measure now").click()
    return page.run()


def until_answered(page: AppTest, count: int) -> None:
    """Wait until the run at work has answered so many examples: a stop before that leaves fewer."""
    run = page.session_state[RUNNING].run
    deadline = time.monotonic() + PATIENCE
    while run.answered < count:
        assert time.monotonic() < deadline, f"{run.answered} of {count} examples were answered in {PATIENCE:.0f} s"
        time.sleep(0.02)


def finished(page: AppTest) -> AppTest:
    """The page once the run at work has ended; as it is where there is none."""
    if RUNNING not in page.session_state:
        return page
    assert page.session_state[RUNNING].wait(PATIENCE)
    return page.run()
