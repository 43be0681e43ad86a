"""A shipped network, exported, starts within the memory that is promised, and never takes torch along."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.start_up import main, started
from pruning.errors import MeasureError

MOST_MEGABYTES = 150
MOST_PROCESSOR_SECONDS = 0.5  # seconds by the clock are at the mercy of whoever else computes


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="only Linux tells a process's peak memory")
def test_a_shipped_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sst2", "--runs", "1"]) == 0
    said = capsys.readouterr().out
    rows = re.findall(r"^\| (\w+) \| ([0-9.]+) \| ([0-9.]+) \| (\d+) MB \|$", said, re.MULTILINE)
    assert [row[0] for row in rows] == ["float32", "int8"]
    for _, seconds, processor, megabytes in rows:
        assert 0 < float(processor) < MOST_PROCESSOR_SECONDS
        assert float(processor) <= 2 * float(seconds) + 0.1
        assert 20 < int(megabytes) < MOST_MEGABYTES
    assert "`python -m benchmarks.start_up sst2 --variant slim-10 --runs 1`" in said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.modules['torch'] = sys; print('answer')", "predict.py imports torch, expected none of them"),
        ("raise SystemExit(3)", "predict.py ended with code 3"),
        ("pass", "predict.py ended with code 0"),
    ],
)
def test_a_reader_that_fails_or_takes_torch_along(tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "predict.py").write_text(code)
    with pytest.raises(MeasureError, match=said):
        started(tmp_path, ["a text"])


def test_networks_that_are_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sst2", "--variant", "slim-7"]) == 2
    assert capsys.readouterr().err == (
        "start_up: study sst2: no weights of 'slim-7', expected one of slim-10, slim-5\n"
    )
