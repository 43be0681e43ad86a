"""Records as files of their own, one JSON file each: written whole, every value checked where they are read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from pruning.errors import StoreError
from pruning.files import locked, written_aside
from pruning.records import Record

R = TypeVar("R", bound=Record)


def write_record(path: Path, record: Record, indent: int = 1) -> None:
    """Write a record aside and rename it; what has the name is replaced.

    Args:
        path: of the file.
        record: to be written.
        indent: spaces a level; -1 for one line, a quarter shorter.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent), written_aside(path) as aside:
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=indent) + b"\n")


def read_record(path: Path, kind: type[R], what: str) -> R:
    """A stored record.

    Args:
        path: of the file.
        kind: of the record.
        what: the same in words, for messages ("a sweep's result").

    Raises:
        StoreError: it cannot be read, or holds something else; one line.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or 'cannot be read'}, expected {what}") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: not {what}: {str(error).replace('`', '')}") from None


def read_records(paths: Iterable[Path], kind: type[R], what: str) -> tuple[tuple[R, ...], tuple[str, ...]]:
    """Records in the order of their files, and a line for each that cannot be read; otherwise as `read_record`."""
    records, problems = [], []
    for path in paths:
        try:
            records.append(read_record(path, kind, what))
        except StoreError as error:
            problems.append(str(error))
    return tuple(records), tuple(problems)
