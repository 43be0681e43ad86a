"""Files -> named columns: CSV, TSV, JSON lines and parquet, each problem in one line, each size bounded.

They lie on disk (`read_table`), or only in memory (`InMemory`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pruning.data.opened import Limits, Opened, check_bytes, check_columns, check_file, check_width, opened, text_of
from pruning.data.parquet import parquet_columns, parquet_names
from pruning.errors import DataError, quoted


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

    def column(self, name: str) -> list[Any]:
        """A column's values; raises `DataError` naming the columns that are there."""
        check_columns(self.where, tuple(self.columns), [name])
        return self.columns[name]


def read_table(path: str | Path, wanted: Sequence[str] | None = None) -> Table:
    """Read a CSV, TSV, JSON lines or parquet file, by its suffix.

    CSV is read with double quotes and a header; TSV, as GLUE writes it, has a header and no quoting at all.

    Args:
        path: the file.
        wanted: the columns to read, the others are left alone; None for all.

    Raises:
        DataError: if it cannot be read, is too large, lacks a wanted column or holds no rows.
    """
    if not str(path):
        raise DataError("path '': is empty, expected a file of examples")
    path = Path(path)
    check_file(path)  # before its suffix: a missing file is the better thing to complain about
    found = _format_of(str(path))
    with opened(path) as source:
        return _filled(found.read(source, wanted))


class InMemory:
    """A table of the same formats whose bytes are in memory alone.

    Args:
        name: the file's name: its suffix says the format, and messages name it.
        content: its bytes.
        limits: how much of it is read.

    Raises:
        DataError: in all methods, as `read_table` does.
    """

    def __init__(self, name: str, content: bytes, limits: Limits) -> None:
        self.name, self._content, self._limits = name, content, limits

    def column_names(self) -> tuple[str, ...]:
        """The columns, in the file's order; no values are read."""
        return _format_of(self.name).names(self._source())

    def read(self, wanted: Sequence[str]) -> Table:
        """The wanted columns; the others are left alone."""
        return _filled(_format_of(self.name).read(self._source(), wanted))

    def _source(self) -> Opened:
        check_bytes(self.name, len(self._content), self._limits)
        return Opened(self.name, io.BytesIO(self._content), self._limits)


def _format_of(where: str) -> _Format:
    suffix = PurePath(where).suffix
    if suffix.lower() not in _FORMATS:
        raise DataError(f"{where}: suffix {quoted(suffix)} is unknown, expected {', '.join(_FORMATS)}")
    return _FORMATS[suffix.lower()]


def _filled(table: Table) -> Table:
    if not len(table):
        raise DataError(f"{table.where}: holds no rows, expected at least one example")
    return table


# The standard library's csv and json rather than pyarrow's: those guess types (a text that looks like a date becomes
# one), close an open quote in silence and name no line.


def tab_separated(path: Path) -> Iterator[list[str]]:
    """Rows of a TSV file without any quoting: a double quote is a character like any other."""
    with opened(path) as source:
        return _tab_rows(source)


def _tab_rows(source: Opened) -> Iterator[list[str]]:
    lines = (line.removesuffix("\r") for line in text_of(source).split("\n"))
    return (line.split("\t") for line in lines if line)


def _comma_rows(source: Opened) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text_of(source), newline=""), strict=True)
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        where = f"{source.where}: line {reader.line_num}"
        raise DataError(f"{where} is not CSV ({error}), expected commas and quotes") from error


def _header(source: Opened, rows: Iterator[list[str]]) -> list[str]:
    header = [name.strip() for name in next(rows, [])]
    if not header:
        raise DataError(f"{source.where}: is empty, expected a header and at least one example")
    check_width(source, len(header))
    return header


def _from_rows(source: Opened, rows: Iterator[list[str]], wanted: Sequence[str] | None) -> Table:
    where, header = source.where, _header(source, rows)
    names = header if wanted is None else wanted
    check_columns(where, header, names)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    filled = [(header.index(name), values) for name, values in columns.items()]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise DataError(f"{where}: row {number} has {len(row)} fields, expected {len(header)} as in the header")
        for place, values in filled:
            values.append(row[place])
    return Table(where, columns)


def _read_csv(source: Opened, wanted: Sequence[str] | None) -> Table:
    return _from_rows(source, _comma_rows(source), wanted)


def _read_parquet(source: Opened, wanted: Sequence[str] | None) -> Table:
    return Table(source.where, parquet_columns(source, wanted))


def _csv_names(source: Opened) -> tuple[str, ...]:
    return tuple(_header(source, _comma_rows(source)))


def _read_tsv(source: Opened, wanted: Sequence[str] | None) -> Table:
    return _from_rows(source, _tab_rows(source), wanted)


def _tsv_names(source: Opened) -> tuple[str, ...]:
    return tuple(_header(source, _tab_rows(source)))


def _json_records(source: Opened) -> Iterator[dict[str, Any]]:
    where = source.where
    for number, line in enumerate(text_of(source).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}: line {number} is not JSON, expected one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{where}: line {number} is not an object, expected one object a line")
        yield record


def _read_json_lines(source: Opened, wanted: Sequence[str] | None) -> Table:
    records: list[dict[str, Any]] = []
    found: dict[str, None] = {}
    for record in _json_records(source):
        found.update(dict.fromkeys(record))
        check_width(source, len(found))
        records.append(record if wanted is None else {name: record.get(name) for name in wanted})
    names = tuple(found) if wanted is None or not records else wanted
    check_columns(source.where, tuple(found), names)
    return Table(source.where, {name: [record.get(name) for record in records] for name in names})


def _json_names(source: Opened) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for record in _json_records(source):
        found.update(dict.fromkeys(record))
        check_width(source, len(found))
    return tuple(found)


@dataclass(frozen=True)
class _Format:
    """How a kind of file is read: the wanted columns (None for all), and the names of all."""

    read: Callable[[Opened, Sequence[str] | None], Table]
    names: Callable[[Opened], tuple[str, ...]]


_FORMATS = {
    ".csv": _Format(_read_csv, _csv_names),
    ".tsv": _Format(_read_tsv, _tsv_names),
    ".jsonl": _Format(_read_json_lines, _json_names),
    ".parquet": _Format(_read_parquet, parquet_names),
}
