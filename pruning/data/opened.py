"""Open files of rows and columns: how much of one is read, what its columns must be; each problem in one line."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pruning.errors import DataError, quoted

MOST_BYTES = 2**30  # of a file, and of its values once unpacked: ten times GLUE's largest task
MOST_ROWS = 20_000_000
MOST_COLUMNS = 10_000


@dataclass(frozen=True)
class Limits:
    """How much of a file is read: bytes (also of its values once unpacked), rows and columns."""

    size: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Opened:
    """An open file: what messages call it, its bytes, and how many of them may be read."""

    where: str
    stream: BinaryIO
    limits: Limits


def check_columns(where: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise `DataError` where a wanted column is missing, or there are two of that name."""
    counts = Counter(found)
    for name in wanted:
        if counts[name] > 1:
            raise DataError(f"{where}: column {quoted(name)} comes twice in the header, expected different names")
        if not counts[name]:
            names = ", ".join(map(quoted, found[:12])) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
            raise DataError(f"{where}: no column {quoted(name)}; expected one of: {names}")


def check_file(path: Path) -> None:
    """Raise `DataError` where a path is no regular file (a pipe may never end) or is too large to be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: does not exist, expected a file of examples") from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        what = "is a folder" if stat.S_ISDIR(status.st_mode) else "is no regular file"
        raise DataError(f"{path}: {what}, expected a file of examples")
    check_bytes(str(path), status.st_size, whole_file())


def whole_file() -> Limits:
    """What is read of a file on disk."""
    return Limits(MOST_BYTES, MOST_ROWS, MOST_COLUMNS)


def check_bytes(where: str, size: int, limits: Limits) -> None:
    """Raise `DataError` where a file has more bytes than may be read."""
    if size > limits.size:
        raise DataError(f"{where}: has {size} bytes, expected at most {limits.size}")


def check_width(source: Opened, count: int) -> None:
    """Raise `DataError` where there are more columns than may be read."""
    if count > source.limits.columns:
        raise DataError(f"{source.where}: has {count} columns, expected at most {source.limits.columns}")


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A checked file, open."""
    check_file(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with stream:
        yield Opened(str(path), stream, whole_file())


def _unreadable(path: Path | str, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"{path}: cannot be read ({reason}), expected a file of examples")


def text_of(source: Opened) -> str:
    """A file's text; raises `DataError` where it cannot be read, has too many lines or is not UTF-8."""
    try:
        content = source.stream.read()
    except OSError as error:
        raise _unreadable(source.where, error) from error
    if (lines := content.count(b"\n")) > source.limits.rows:
        raise DataError(f"{source.where}: has {lines} lines, expected at most {source.limits.rows}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        where = f"{source.where}: line {line}, byte {error.start}"
        raise DataError(f"{where} cannot be decoded, expected text in UTF-8") from error
