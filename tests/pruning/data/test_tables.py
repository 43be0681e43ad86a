"""Files of every kind, whole and broken."""

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from pruning.data.tables import read_table, tab_separated
from pruning.errors import DataError

ROWS = {"text": ['He said "no", twice', "two\nlines", "naïve 🙂", "NA"], "label": ["a", "b", "a", "null"]}


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
    path = tmp_path / "task=odd" / "x.parquet"  # a folder's name is no column
    path.parent.mkdir()
    table = pyarrow.table({**ROWS, "kind": pyarrow.array(["x", "y", "x", None]).dictionary_encode()})
    pyarrow.parquet.write_table(table, path)
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
        ("x.csv", "text,label\na,b\n".encode("utf-16"), "x.csv: line 1, byte 0 cannot be decoded"),
        ("x.csv", b"text,label\n" + b"a" * 200_000 + b",b\n", "x.csv: line 2 is not CSV"),
        ("x.tsv", b"text\tlabel\na b\n", "x.tsv: row 1 has 1 fields, expected 2"),
        ("x.jsonl", b"", "x.jsonl: holds no rows"),
        ("x.jsonl", b'{"a": 1}\n{"a": \n', "x.jsonl: line 2 is not JSON, expected one object a line"),
        ("x.jsonl", b"[1, 2]\n", "x.jsonl: line 1 is not an object"),
        ("x.jsonl", b"[" * 100_000, "x.jsonl: line 1 is not JSON"),
        ("x.parquet", b"", "x.parquet: is not parquet"),
        ("x.parquet", b"PAR1 nothing PAR1", "x.parquet: is not parquet"),
        ("x.txt", b"text\n", "x.txt: suffix '.txt' is unknown, expected .csv, .tsv, .jsonl, .parquet"),
        ("x", b"text\n", "x: suffix '' is unknown"),
    ],
)
def test_broken_files_get_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    assert message in str(caught.value)
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["none.csv", "none.xlsx", "none/x.csv", "a" * 300 + ".csv", "nul\0.csv"])
def test_missing_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"(does not exist|cannot be read).*, expected a file"):
        read_table(tmp_path / name)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(DataError, match="is a folder, expected a file"):
        read_table(tmp_path / "x.csv")


def test_missing_columns_name_those_found(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("words,kind\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"x\.csv: no column 'text'; expected one of: 'words', 'kind'$"):
        read_table(tmp_path / "x.csv").column("text")
    names = ",".join(f"c{number}" for number in range(40))
    (tmp_path / "x.csv").write_text(f"{names}\n{names}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'c11' and 28 more$"):
        read_table(tmp_path / "x.csv").column("text")


def test_tab_separated_keeps_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text('a\t"b\n\x0b\u2028c\td\x85"\n', encoding="utf-8")  # none of these ends a line
    assert tab_separated(path) == [["a", '"b'], ["\x0b\u2028c", 'd\x85"']]
