"""Pages say where a machine is busy; the one that tests run on may be."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is at work."""
    monkeypatch.setattr("slimviz.live.others_at_work.OthersAtWork.cores", lambda _: 0.0)
