"""Parquet -> columns, refused before more is unpacked than may be read.

pyarrow is imported inside functions: most of what reads tables needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pruning.data.opened import Opened, check_columns, check_width
from pruning.errors import DataError, quoted

ROWS_AT_ONCE = 65_536  # what is unpacked before its size is added up


def parquet_columns(source: Opened, wanted: Sequence[str] | None) -> dict[str, list[Any]]:
    """The wanted columns (None for all), by name; raises `DataError` in one line."""
    import pyarrow.parquet

    where = source.where
    with _parquet_errors(source):
        file = pyarrow.parquet.ParquetFile(source.stream)
        schema = file.schema_arrow
        names = list(schema.names if wanted is None else wanted)
        check_columns(where, schema.names, names)
        for name in names:
            _check_type(where, schema.field(name))
        _check_size(source, file.metadata, names)
        # Texts as dictionaries: one that is repeated a million times is counted before it is unpacked.
        texts = [name for name in names if _is_text(schema.field(name).type)]
        again = pyarrow.parquet.ParquetFile(source.stream, read_dictionary=texts)
        return _unpacked(source, again, names)


def parquet_names(source: Opened) -> tuple[str, ...]:
    """All columns' names, in the file's order; raises `DataError` in one line."""
    import pyarrow.parquet

    with _parquet_errors(source):
        return tuple(pyarrow.parquet.ParquetFile(source.stream).schema_arrow.names)


@contextmanager
def _parquet_errors(source: Opened) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError, KeyError, OverflowError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{source.where}: is not parquet ({reason}), expected a parquet file") from error


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _check_type(where: str, field: Any) -> None:
    from pyarrow import types

    kind = field.type.value_type if types.is_dictionary(field.type) else field.type
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    if not (_is_text(kind) or is_number or types.is_boolean(kind) or types.is_null(kind)):
        raise DataError(f"{where}: column {quoted(field.name)} holds {kind}, expected texts or numbers")


def _check_size(source: Opened, metadata: Any, names: Sequence[str]) -> None:
    if metadata.num_rows > source.limits.rows:
        raise DataError(f"{source.where}: has {metadata.num_rows} rows, expected at most {source.limits.rows}")
    check_width(source, metadata.num_columns)
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > source.limits.size:
        # Only now by column: in some damaged files, asking for one ends the whole process (seen with pyarrow 26).
        chunks = [group.column(index) for group in groups for index in range(group.num_columns)]
        wanted = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names)
        _check_unpacked(source, wanted)


def _check_unpacked(source: Opened, unpacked: int) -> None:
    if unpacked > source.limits.size:
        raise DataError(f"{source.where}: unpacks to {unpacked} bytes or more, expected at most {source.limits.size}")


def _unpacked(source: Opened, file: Any, names: list[str]) -> dict[str, list[Any]]:
    """The columns' values; raises `DataError` before more of them are in memory than the limits allow."""
    batches, unpacked = [], 0
    for batch in file.iter_batches(ROWS_AT_ONCE, columns=names):
        unpacked += sum(map(_bytes_unpacked, batch.columns))
        _check_unpacked(source, unpacked)
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
