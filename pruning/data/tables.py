"""Files -> named columns: CSV, TSV, JSON lines and parquet, each problem in one line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruning.errors import DataError


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes:
        where: the file, for messages.
        columns: values by column name, in the file's order.
    """

    where: str
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        """Rows."""
        return len(next(iter(self.columns.values()), []))

    def names(self) -> str:
        """The columns' names for a message, the first dozen of them."""
        names = [f"{name!r:.40}" for name in self.columns]
        return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")

    def column(self, name: str) -> list[Any]:
        """A column's values; raises `DataError` naming the columns that are there."""
        if name not in self.columns:
            raise DataError(f"{self.where}: no column {name!r}; expected one of: {self.names()}")
        return self.columns[name]


def read_table(path: str | Path) -> Table:
    """Read a CSV, TSV, JSON lines or parquet file, by its suffix.

    CSV is read with double quotes and a header; TSV, as GLUE writes it, has a header and no quoting at all.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        read_bytes(path)  # a missing file is the better thing to complain about
        raise DataError(f"{path}: suffix {path.suffix!r} is unknown, expected {', '.join(_READERS)}")
    table = reader(path)
    if not len(table):
        raise DataError(f"{path}: holds no rows, expected at least one example")
    return table


def read_bytes(path: Path) -> bytes:
    """A file's bytes; raises `DataError` where it is missing, not a file or unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: does not exist, expected a file of examples") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder, expected a file of examples") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}), expected a file of examples") from error


def read_text(path: Path) -> str:
    """A file's text; raises `DataError` where it is not UTF-8."""
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line}, byte {error.start} cannot be decoded, expected text in UTF-8") from error


def tab_separated(path: Path) -> list[list[str]]:
    """Rows of a TSV file without any quoting: a double quote is a character like any other."""
    lines = (line.removesuffix("\r") for line in read_text(path).split("\n"))
    return [line.split("\t") for line in lines if line]


def _from_rows(path: Path, rows: Sequence[list[str]]) -> Table:
    if not rows:
        raise DataError(f"{path}: is empty, expected a header and at least one example")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise DataError(f"{path}: column {twice!r} comes twice in the header, expected different names")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} fields, expected {len(header)} as in the header")
    return Table(str(path), {name: [row[index] for row in rows[1:]] for index, name in enumerate(header)})


def _read_csv(path: Path) -> Table:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error}), expected commas and quotes") from error
    return _from_rows(path, rows)


def _read_tsv(path: Path) -> Table:
    return _from_rows(path, tab_separated(path))


def _read_json_lines(path: Path) -> Table:
    records: list[dict[str, Any]] = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is not JSON, expected one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: line {number} is not an object, expected one object a line")
        records.append(record)
    names = dict.fromkeys(name for record in records for name in record)
    return Table(str(path), {name: [record.get(name) for record in records] for name in names})


def _read_parquet(path: Path) -> Table:
    content = read_bytes(path)
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
        return Table(str(path), {name: table.column(name).to_pylist() for name in table.column_names})
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: is not parquet ({reason}), expected a parquet file") from error


_READERS: dict[str, Callable[[Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
