"""Files of every kind, whole and broken."""

import datetime
import decimal
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from pruning.data import opened, parquet
from pruning.data.tables import read_table, tab_separated
from pruning.errors import DataError

ROWS = {"text": ['He said "no", twice', "two\nlines", "naïve 🙂", "NA"], "label": ["a", "b", "a", "null"]}


def complaint(path: Path | str, columns: list[str] | None = None) -> str:
    """What is said of a file that cannot be read: one line."""
    with pytest.raises(DataError, match="expected") as caught:
        read_table(path, columns)
    assert str(caught.value).isprintable()
    return str(caught.value)


def write_parquet(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def test_csv_with_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        '\ufefftext,label\n"He said ""no"", twice",a\n"two\nlines",b\nnaïve 🙂,a\nNA,null\n', encoding="utf-8"
    )
    assert read_table(path).columns == ROWS
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n").replace(b"two\r\n", b"two\n"))
    assert read_table(path).columns == ROWS


def test_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.TSV"
    path.write_bytes(b'text\tlabel\r\n"open\ta\r\nsaid "no"\tb\r\n')
    assert read_table(path).columns == {"text": ['"open', 'said "no"'], "label": ["a", "b"]}


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(*ROWS.values(), strict=True)]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    assert read_table(path).columns == ROWS
    path.write_text('{"a": 1}\n{"b": 2.5}\n', encoding="utf-8")
    assert read_table(path).columns == {"a": [1, None], "b": [None, 2.5]}


def test_parquet(tmp_path: Path) -> None:
    (tmp_path / "task=odd").mkdir()  # a folder's name is no column
    columns = {**ROWS, "kind": pyarrow.array(["x", "y", "x", None]).dictionary_encode()}
    path = write_parquet(tmp_path / "task=odd" / "x.parquet", columns)
    assert read_table(path).columns == {**ROWS, "kind": ["x", "y", "x", None]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "x.csv: is empty, expected a header"),
        ("x.csv", b"text,label\n", "x.csv: holds no rows, expected"),
        ("x.csv", b"text,label\na,b\nc\n", "x.csv: row 2 has 1 fields, expected 2"),
        ("x.csv", b"text,label\na,b,c\n", "x.csv: row 1 has 3 fields, expected 2"),
        ("x.csv", b"text,text\na,b\n", "x.csv: column 'text' comes twice"),
        ("x.csv", b'text,label\n"open,b\n', "x.csv: line 2 is not CSV"),
        ("x.csv", b"text,label\na,b\n\xff\xfe,c\n", "x.csv: line 3, byte 15 cannot be decoded, expected text in UTF-8"),
        ("x.csv", b"text,label\n" + b"a" * 200_000 + b",b\n", "x.csv: line 2 is not CSV"),
        ("x.tsv", b"text\tlabel\na b\n", "x.tsv: row 1 has 1 fields, expected 2"),
        ("x.jsonl", b"", "x.jsonl: holds no rows"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n', "x.jsonl: line 2 is not JSON, expected one object a line"),
        ("x.jsonl", b"[1, 2]\n", "x.jsonl: line 1 is not an object"),
        ("x.jsonl", b"[" * 100_000, "x.jsonl: line 1 is not JSON"),
        ("x.parquet", b"", "x.parquet: is not parquet"),
        ("x.parquet", b"PAR1 nothing PAR1", "x.parquet: is not parquet"),
        ("x.txt", b"text\n", "x.txt: suffix '.txt' is unknown, expected .csv, .tsv, .jsonl, .parquet"),
    ],
)
def test_broken_files_get_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in complaint(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.csv", "does not exist, expected a file"),
        ("none.xlsx", "does not exist, expected a file"),
        ("a" * 300 + ".csv", "cannot be read (File name too long), expected a file"),
        ("nul\0.csv", "cannot be read (embedded null byte), expected a file"),
        ("\x1b[2J\nnext.csv", "/ [2J next.csv: does not exist, expected a file"),
        ("folder.csv", "is a folder, expected a file"),
        ("folder.parquet", "is a folder, expected a file"),
        ("pipe.jsonl", "is no regular file, expected a file"),  # it never ends
        ("endless.csv", "is no regular file, expected a file"),
    ],
)
def test_what_is_no_file_gets_one_line(tmp_path: Path, name: str, message: str) -> None:
    for folder in ("folder.csv", "folder.parquet"):
        (tmp_path / folder).mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    assert message in complaint(tmp_path / name)
    assert "path '': is empty, expected a file of examples" in complaint("")  # not the current folder


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_files_that_are_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    if suffix == ".parquet":
        write_parquet(path, {"a": ["b", "c", "d"]})
    else:
        path.write_text('{"a": "b"}\n' * 3 if suffix == ".jsonl" else "a\nb\nc\nd\n", encoding="utf-8")
    assert len(read_table(path)) == 3
    for limit, message in (("MOST_BYTES", r"has \d+ bytes"), ("MOST_ROWS", r"has \d (rows|lines)")):
        with monkeypatch.context() as patch:
            patch.setattr(opened, limit, 2)
            assert re.search(rf"{message}, expected at most 2$", complaint(path))


@pytest.mark.parametrize("packed", ["dictionary", "zeros"])
def test_parquet_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path: Path, packed: str) -> None:
    """Fault 17."""
    path, rows = tmp_path / "x.parquet", 400_000
    if packed == "dictionary":  # 4 GB in 3 kB: one text, and a run of numbers that say "the first text"
        repeated = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, "int32"), ["x" * 10_000])
        write_parquet(path, {"a": repeated, "b": range(rows)})
    else:  # 1.2 GB of what compresses to nothing
        table = pyarrow.table({"a": ["x" * 3_000_000] * 50, "b": range(50)})
        with pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=False) as writer:
            for _ in range(8):
                writer.write_table(table)
    assert path.stat().st_size < 4_000_000
    said = r"x\.parquet: unpacks to \d{10} bytes or more, expected at most 1073741824$"
    assert re.search(said, complaint(path, ["a"]))
    assert len(read_table(path, ["b"])) == 400 if packed == "zeros" else rows


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime.datetime(2030, 1, 2), "timestamp[us]"),
        (datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC), "timestamp[us, tz=UTC]"),
        (datetime.date(2030, 1, 2), "date32[day]"),
        (datetime.timedelta(1), "duration[us]"),
        (b"bytes", "binary"),
        (["a", "b"], "list<element: string>"),
        ({"x": 1}, "struct<x: int64>"),
    ],
)
def test_columns_of_other_types_get_one_line_and_only_where_they_are_read(
    tmp_path: Path, value: Any, kind: str
) -> None:
    path = write_parquet(tmp_path / "x.parquet", {"a": ["b"], "c": [value]})
    assert complaint(path).endswith(f"x.parquet: column 'c' holds {kind}, expected texts or numbers")
    assert read_table(path, ["a"]).columns == {"a": ["b"]}


def test_numbers_of_every_type_of_parquet(tmp_path: Path) -> None:
    columns = {
        "decimal": [decimal.Decimal("1.50"), None],
        "half": pyarrow.array([1.5, None], pyarrow.float16()),
        "small": pyarrow.array([1, None], pyarrow.uint8()),
        "boolean": [True, None],
        "nothing": pyarrow.nulls(2),
        "large": pyarrow.array(["a", None], pyarrow.large_string()),
        "view": pyarrow.array(["a", None], pyarrow.string_view()),
    }
    first = {"decimal": 1.5, "half": 1.5, "small": 1, "boolean": True, "nothing": None, "large": "a", "view": "a"}
    assert read_table(write_parquet(tmp_path / "x.parquet", columns)).columns == {
        name: [value, None] for name, value in first.items()
    }


@pytest.mark.parametrize("chunk", [3, 65_536])
def test_parquet_in_pieces_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    texts = [None if number % 7 == 0 else f"text {number % 11} {number if number % 2 else ''}" for number in range(100)]
    path = write_parquet(tmp_path / "x.parquet", {"a": texts, "b": range(100)}, row_group_size=30)
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", chunk)
    assert read_table(path).columns == {"a": texts, "b": list(range(100))}


def test_missing_columns_name_those_found(tmp_path: Path) -> None:
    for name, content in {"x.csv": "words,kind\na,b\n", "x.jsonl": '{"words": "a"}\n{"kind": "b"}\n'}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
        said = f"{name}: no column 'text'; expected one of: 'words', 'kind'"
        assert complaint(tmp_path / name, ["kind", "text"]).endswith(said)
    names = ",".join(f"c{number}" for number in range(40))
    (tmp_path / "x.csv").write_text(f"{names}\n{names}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'c11' and 28 more$"):
        read_table(tmp_path / "x.csv").column("text")


@pytest.mark.parametrize(("name", "content"), [("x.csv", "a,b,b\n1,2,3\n"), ("x.jsonl", '{"b": 2, "a": "1"}\n')])
def test_columns_that_are_not_wanted_are_left_alone(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_table(tmp_path / name, ["a"]).columns == {"a": ["1"]}


def test_tab_separated_keeps_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text('a\t"b\n\x0b\u2028c\td\x85"\n', encoding="utf-8")  # none of these ends a line
    assert list(tab_separated(path)) == [["a", '"b'], ["\x0b\u2028c", 'd\x85"']]
