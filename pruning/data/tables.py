"""Files -> named columns: CSV, TSV, JSON lines and parquet, each problem in one line, each size bounded."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pruning.errors import DataError, quoted

MOST_BYTES = 2**30  # of a file, and of its values once unpacked: ten times GLUE's largest task
MOST_ROWS = 20_000_000
ROWS_AT_ONCE = 65_536  # of parquet: what is unpacked before its size is added up


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


def check_columns(where: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise `DataError` where a wanted column is missing, or there are two of that name."""
    counts = Counter(found)
    for name in wanted:
        if counts[name] > 1:
            raise DataError(f"{where}: column {quoted(name)} comes twice in the header, expected different names")
        if not counts[name]:
            names = ", ".join(map(quoted, found[:12])) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
            raise DataError(f"{where}: no column {quoted(name)}; expected one of: {names}")


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
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        check_file(path)  # a missing file is the better thing to complain about
        raise DataError(f"{path}: suffix {quoted(path.suffix)} is unknown, expected {', '.join(_READERS)}")
    table = reader(path, wanted)
    if not len(table):
        raise DataError(f"{path}: holds no rows, expected at least one example")
    return table


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
    if status.st_size > MOST_BYTES:
        raise DataError(f"{path}: has {status.st_size} bytes, expected at most {MOST_BYTES}")


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"{path}: cannot be read ({reason}), expected a file of examples")


def read_text(path: Path) -> str:
    """A file's text; raises `DataError` where it cannot be read, is too large or not UTF-8."""
    check_file(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    if (lines := content.count(b"\n")) > MOST_ROWS:
        raise DataError(f"{path}: has {lines} lines, expected at most {MOST_ROWS}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}: line {line}, byte {error.start} cannot be decoded, expected text in UTF-8") from error


# The standard library's csv and json rather than pyarrow's: those guess types (a text that looks like a date becomes
# one), close an open quote in silence and name no line.


def tab_separated(path: Path) -> Iterator[list[str]]:
    """Rows of a TSV file without any quoting: a double quote is a character like any other."""
    lines = (line.removesuffix("\r") for line in read_text(path).split("\n"))
    return (line.split("\t") for line in lines if line)


def _from_rows(path: Path, rows: Iterator[list[str]], wanted: Sequence[str] | None) -> Table:
    header = [name.strip() for name in next(rows, [])]
    if not header:
        raise DataError(f"{path}: is empty, expected a header and at least one example")
    names = header if wanted is None else wanted
    check_columns(str(path), header, names)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    filled = [(header.index(name), values) for name, values in columns.items()]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise DataError(f"{path}: row {number} has {len(row)} fields, expected {len(header)} as in the header")
        for place, values in filled:
            values.append(row[place])
    return Table(str(path), columns)


def _read_csv(path: Path, wanted: Sequence[str] | None) -> Table:
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        return _from_rows(path, (row for row in reader if row), wanted)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV ({error}), expected commas and quotes") from error


def _read_tsv(path: Path, wanted: Sequence[str] | None) -> Table:
    return _from_rows(path, tab_separated(path), wanted)


def _read_json_lines(path: Path, wanted: Sequence[str] | None) -> Table:
    records: list[dict[str, Any]] = []
    found: dict[str, None] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number} is not JSON, expected one object a line") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}: line {number} is not an object, expected one object a line")
        found.update(dict.fromkeys(record))
        records.append(record if wanted is None else {name: record.get(name) for name in wanted})
    names = tuple(found) if wanted is None or not records else wanted
    check_columns(str(path), tuple(found), names)
    return Table(str(path), {name: [record.get(name) for record in records] for name in names})


def _read_parquet(path: Path, wanted: Sequence[str] | None) -> Table:
    check_file(path)
    import pyarrow
    import pyarrow.parquet

    try:
        with path.open("rb") as stream:
            file = pyarrow.parquet.ParquetFile(stream)
            schema = file.schema_arrow
            names = list(schema.names if wanted is None else wanted)
            check_columns(str(path), schema.names, names)
            for name in names:
                _check_type(path, schema.field(name))
            _check_size(path, file.metadata, names)
            # Texts as dictionaries: one that is repeated a million times is counted before it is unpacked.
            texts = [name for name in names if _is_text(schema.field(name).type)]
            return Table(str(path), _unpacked(path, pyarrow.parquet.ParquetFile(stream, read_dictionary=texts), names))
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: is not parquet ({reason}), expected a parquet file") from error


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _check_type(path: Path, field: Any) -> None:
    from pyarrow import types

    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if not (_is_text(kind) or is_number or types.is_boolean(kind) or types.is_null(kind)):
        raise DataError(f"{path}: column {quoted(field.name)} holds {kind}, expected texts or numbers")


def _check_size(path: Path, metadata: Any, names: Sequence[str]) -> None:
    if metadata.num_rows > MOST_ROWS:
        raise DataError(f"{path}: has {metadata.num_rows} rows, expected at most {MOST_ROWS}")
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > MOST_BYTES:
        # Only now by column: in some damaged files, asking for one ends the whole process (seen with pyarrow 26).
        chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
        _check_unpacked(path, sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names))


def _check_unpacked(path: Path, unpacked: int) -> None:
    if unpacked > MOST_BYTES:
        raise DataError(f"{path}: unpacks to {unpacked} bytes or more, expected at most {MOST_BYTES}")


def _unpacked(path: Path, file: Any, names: list[str]) -> dict[str, list[Any]]:
    """The columns' values; raises `DataError` before more than `MOST_BYTES` of them are in memory."""
    batches, unpacked = [], 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
        unpacked += sum(map(_bytes_unpacked, batch.columns))
        _check_unpacked(path, unpacked)
        batches.append(batch)
    return {name: [value for batch in batches for value in _values(batch.column(name))] for name in names}


def _bytes_unpacked(column: Any) -> int:
    import pyarrow
    import pyarrow.compute

    if isinstance(column, pyarrow.DictionaryArray) and _is_text(column.type.value_type):
        lengths = pyarrow.compute.call_function("binary_length", [column.dictionary])
        return lengths.take(column.indices).sum().as_py() or 0
    return column.nbytes


def _values(column: Any) -> list[Any]:
    import pyarrow

    if isinstance(column, pyarrow.DictionaryArray):
        column = column.dictionary_decode()
    if pyarrow.types.is_decimal(column.type):
        column = column.cast(pyarrow.float64())
    return column.to_pylist()


_READERS: dict[str, Callable[[Path, Sequence[str] | None], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_json_lines,
    ".parquet": _read_parquet,
}
