from __future__ import annotations

from pathlib import Path

import pytest

from slimviz.live import others_at_work
from slimviz.live.others_at_work import OthersAtWork, are_in_the_way


def stat(path: Path, user: int) -> None:
    path.write_text(f"cpu  {user} 0 100 9999 5 1 2 3 0 0\ncpu0 1 2 3\n")


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, float]:
    """A made-up /proc/stat, and clocks that a test sets."""
    now = {"clock": 100.0, "own": 7.0}
    monkeypatch.setattr(others_at_work, "STAT", tmp_path / "stat")
    monkeypatch.setattr(others_at_work.time, "monotonic", lambda: now["clock"])
    monkeypatch.setattr(others_at_work.time, "process_time", lambda: now["own"])
    monkeypatch.setattr(others_at_work.os, "sysconf", lambda _: 100)
    stat(tmp_path / "stat", 1000)
    return now


def test_others_are_what_is_busy_and_not_ours(clocks: dict[str, float], tmp_path: Path) -> None:
    others = OthersAtWork()
    assert others.cores() is None  # too soon
    clocks["clock"] += 10
    clocks["own"] += 12
    stat(tmp_path / "stat", 1000 + 1900)  # 19 seconds of two cores' 20
    assert others.cores() == pytest.approx(0.7)
    clocks["own"] += 100
    assert others.cores() == 0.0


@pytest.mark.parametrize("content", ["", "cpu 1 2", "cpu a b c d e f g h", None])
def test_where_nobody_knows_nothing_is_said(clocks: dict[str, float], tmp_path: Path, content: str | None) -> None:
    if content is None:
        (tmp_path / "stat").unlink()
    else:
        (tmp_path / "stat").write_text(content)
    others = OthersAtWork()
    clocks["clock"] += 10
    assert others.cores() is None
    assert not are_in_the_way(None, 2, 2)


@pytest.mark.parametrize(
    ("others", "threads", "cores", "expected"),
    [
        (0.1, 2, 2, False),
        (1.0, 1, 2, False),
        (1.5, 1, 2, True),
        (0.5, 2, 2, True),
        (1.5, 2, 4, False),
        (2.5, 2, 4, True),
        (0.5, 8, 4, True),
    ],
)
def test_others_are_in_the_way_where_they_take_what_is_needed(
    others: float, threads: int, cores: int, expected: bool
) -> None:
    assert are_in_the_way(others, threads, cores) is expected
