"""A record as a file: whole or as it was, and one line for what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning import record_files
from pruning.errors import StoreError
from pruning.record_files import read_record, read_records, write_record
from pruning.records import Positive, Record


class Pair(Record, frozen=True):
    first: Positive
    second: str


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pair.json"
    for pair in (Pair(1, "é"), Pair(2, "")):
        write_record(path, pair)
        assert read_record(path, Pair, "a pair") == pair
    assert [file.name for file in path.parent.iterdir()] == ["pair.json"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pair.json"
    write_record(path, Pair(1, "a"))

    def fail(*given: object, **named: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record_files.msgspec.json, "format", fail)
    with pytest.raises(OSError, match="No space"):
        write_record(path, Pair(2, "b"))
    assert read_record(path, Pair, "a pair") == Pair(1, "a")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"first": 1', "not a pair: Input data was truncated"),
        ('{"first": 0, "second": ""}', "not a pair: Expected int >= 1 - at $.first"),
        ('{"first": 1}', "not a pair: Object missing required field second"),
        ('{"first": 1, "second": "", "third": 3}', "not a pair: Object contains unknown field third"),
        (None, "No such file or directory, expected a pair"),
    ],
)
def test_anything_else_is_one_line(tmp_path: Path, content: str | None, said: str) -> None:
    good, bad = tmp_path / "a.json", tmp_path / "b.json"
    write_record(good, Pair(1, "a"))
    if content is not None:
        bad.write_text(content)
    with pytest.raises(StoreError) as caught:
        read_record(bad, Pair, "a pair")
    assert str(caught.value) == f"{bad}: {said}"
    assert read_records([bad, good], Pair, "a pair") == ((Pair(1, "a"),), (str(caught.value),))
