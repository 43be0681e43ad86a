"""A visitor's own file: every format, columns and labels matched, each problem in one line, nothing on disk."""

from __future__ import annotations

import io
import json
import tomllib
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from pruning.errors import DataError
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import predictions
from pruning.study import Study, read_study
from pruning.variants import TEACHER, slim
from slimviz.live import upload
from slimviz.live.networks import load_networks
from slimviz.live.run import LiveRun, RunSettings
from slimviz.live.upload import ChosenColumns, read_upload, uploaded
from tests.factories.own_study import ELSEWHERE, own_task, write_own_study
from tests.factories.tiny_study import BUDGET, write_tiny_study

ROWS = [{"review": f"a good film {number}", "verdict": ("meh", "great_stuff")[number % 2]} for number in range(8)]
BOTH = ChosenColumns(("review",), "verdict")
TEXTS = ChosenColumns(("review",), None)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Study]:
    """Of a given teacher (labels by name, without names, pairs, scores), and of GLUE's SST-2."""
    folder = tmp_path_factory.mktemp("studies")
    nameless = own_task(labels=("LABEL_0", "LABEL_1"))
    for name, like, task in (
        ("mine", "sst2", own_task()),
        ("nameless", "sst2", nameless),
        ("pairs", "mrpc", own_task("mrpc")),
        ("scores", "stsb", own_task("stsb")),
    ):
        write_own_study(folder, task, like=like, name=name)
    write_tiny_study(folder, "sst2")
    return {path.parent.name: read_study(path.parent) for path in folder.glob("*/study.json")}


def csv_of(rows: list[dict[str, Any]]) -> bytes:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    return "\n".join(lines).encode()


def parquet_of(columns: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


KINDS = {
    "reviews.csv": csv_of(ROWS),
    "reviews.TSV": csv_of(ROWS).replace(b",", b"\t"),
    "reviews.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "reviews.parquet": parquet_of({name: [row[name] for row in ROWS] for name in ROWS[0]}),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_format_gives_the_same_examples_and_touches_no_disk(
    studies: dict[str, Study], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_named: Any) -> None:
        raise AssertionError("a file was opened")

    read_upload(uploaded("x.csv", csv_of(ROWS)), BOTH, studies["mine"], None)  # what is imported is read from disk
    parquet_of({"a": ["b"]})
    for method in ("open", "read_bytes", "write_bytes"):
        monkeypatch.setattr(Path, method, refuse)
    monkeypatch.setattr("builtins.open", refuse)
    file = uploaded(name, KINDS[name])
    assert file.column_names() == ("review", "verdict")
    drawn = read_upload(file, BOTH, studies["mine"], None)
    assert drawn.examples.texts == tuple(row["review"] for row in ROWS)
    assert drawn.examples.labels.tolist() == [0, 1] * 4
    assert (drawn.available, drawn.title) == (8, f"your file {name}")
    few = read_upload(file, BOTH, studies["mine"], 5)
    assert (len(few.examples), few.available) == (5, 8)
    assert not read_upload(file, TEXTS, studies["mine"], None).examples.is_labelled


def test_labels_are_matched_as_the_study_s_teacher_calls_them(studies: dict[str, Study]) -> None:
    def labels(study: str, words: list[Any], column: str = "sentence") -> list[int]:
        rows = [{column: "a film", "label": word} for word in words]
        columns = ChosenColumns((column,), "label")
        return read_upload(uploaded("x.csv", csv_of(rows)), columns, studies[study], None).examples.labels.tolist()

    assert labels("sst2", ["positive", "negative"]) == [1, 0]
    assert labels("sst2", [1, 0]) == [1, 0]  # GLUE's own numbers
    assert labels("nameless", [1, 0]) == [1, 0]
    assert labels("nameless", ["LABEL_1", "LABEL_0"]) == [1, 0]
    assert labels("mine", ["great_stuff", "meh"]) == [1, 0]
    with pytest.raises(DataError, match="unknown label '1', expected meh, great_stuff; the column holds 0, 1"):
        labels("mine", [1, 0])  # whose numbers they are nobody knows


PROBLEMS: dict[str, tuple[str, bytes, ChosenColumns, str]] = {
    "another word": (
        "x.csv",
        csv_of([*ROWS, {"review": "soup", "verdict": "<b>bad</b>"}]),
        BOTH,
        "x.csv, column 'verdict': row 9 has the unknown label '<b>bad</b>', expected meh, great_stuff; the "
        "column holds <b>bad</b>, great_stuff, meh",
    ),
    "half of the labels": (
        "x.csv",
        csv_of([row | {"verdict": row["verdict"] if number % 2 else ""} for number, row in enumerate(ROWS)]),
        BOTH,
        "x.csv, column 'verdict': row 1 is empty, expected a label",
    ),
    "no labels known": (
        "x.csv",
        csv_of([row | {"verdict": -1} for row in ROWS]),
        BOTH,
        "row 1 has no label (-1), expected meh, great_stuff",
    ),
    "a missing column": (
        "x.csv",
        csv_of(ROWS),
        ChosenColumns(("text",), None),
        "x.csv: no column 'text'; expected one of: 'review', 'verdict'",
    ),
    "numbers for texts": (
        "x.csv",
        csv_of([{"review": number, "verdict": "meh"} for number in range(5)]),
        TEXTS,
        "x.csv: column 'review' holds numbers alone, expected texts",
    ),
    "numbers in JSON": ("x.jsonl", b'{"review": 1}', TEXTS, "row 1, column 'review' is 1, expected a text"),
    "an empty text": ("x.csv", b"review\n \n", TEXTS, "x.csv: row 1, column 'review' is empty, expected a text"),
    "a header alone": ("x.csv", b"review,verdict\n", TEXTS, "x.csv: holds no rows"),
    "no table": ("x.csv", b'"', TEXTS, "x.csv: line 1 is not CSV"),
    "broken bytes": ("x.csv", b"review\n\xff\xfe\n", TEXTS, "x.csv: line 2, byte 7 cannot be decoded"),
    "broken parquet": ("x.parquet", b"PAR1\x00\x01PAR1", TEXTS, "x.parquet: is not parquet"),
    "a list": ("x.parquet", parquet_of({"review": [["a"]]}), TEXTS, "column 'review' holds list"),
    "another format": ("x.pkl", b"\x80\x04.", TEXTS, "x.pkl: suffix '.pkl' is unknown"),
    "one column twice": ("x.csv", csv_of(ROWS), ChosenColumns(("review",), "review"), "expected a different column"),
    "half a character": ("x.jsonl", b'{"review": "\\ud800"}', TEXTS, "row 1 holds half a character"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_are_one_line(studies: dict[str, Study], name: str) -> None:
    file, content, columns, message = PROBLEMS[name]
    with pytest.raises(DataError) as caught:
        read_upload(uploaded(file, content), columns, studies["mine"], None)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_what_is_empty_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"x\.csv: is empty, expected a table"):
        uploaded("x.csv", b"")
    monkeypatch.setattr(upload, "MOST_MEGABYTES", 1)
    uploaded("x.csv", b"a" * 2**20)
    with pytest.raises(DataError, match=r"x\.csv: has 1,048,577 bytes, expected at most 1 MB"):
        uploaded("x.csv", b"a" * (2**20 + 1))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"review\n" + b"a\n" * 100_001, r"has 100002 lines, expected at most 100000"),
        ("x.parquet", parquet_of({"review": ["a"] * 100_001}), r"has 100001 rows, expected at most 100000"),
        ("x.parquet", parquet_of({"review": ["a" * 100_000] * 1000}), r"unpacks to \d+ bytes or more"),
        (
            "x.csv",
            b",".join(b"c%d" % number for number in range(300)) + b"\n",
            r"has 300 columns, expected at most 256",
        ),
        (
            "x.jsonl",
            b"\n".join(json.dumps({f"c{number}": "a"}).encode() for number in range(300)),
            r"has 257 columns, expected at most 256",
        ),
    ],
)
def test_what_would_fill_the_memory_is_refused(
    studies: dict[str, Study], name: str, content: bytes, message: str
) -> None:
    file = uploaded(name, content)
    with pytest.raises(DataError, match=message):
        read_upload(file, ChosenColumns(file.column_names()[:1], None), studies["mine"], None)


def test_hostile_names_are_one_short_line(studies: dict[str, Study]) -> None:
    file = uploaded("\x1b[2J\n" + "n" * 500 + "<script>.csv", csv_of(ROWS))
    assert file.name.isprintable()
    assert len(file.name) <= upload.LONGEST_NAME
    assert read_upload(file, BOTH, studies["mine"], None).available == 8
    with pytest.raises(DataError, match="suffix"):
        uploaded("../../etc/passwd", b"root\n").column_names()


def test_pairs_and_scores(studies: dict[str, Study]) -> None:
    rows = [{"first": "a film", "second": f"a soup {number}", "score": number / 2} for number in range(6)]
    columns = ChosenColumns(("first", "second"), "score")
    drawn = read_upload(uploaded("x.csv", csv_of(rows)), columns, studies["scores"], None)
    assert drawn.examples.pairs is not None
    assert drawn.examples.labels.tolist() == [number / 2 for number in range(6)]
    with pytest.raises(DataError, match="one text column given, but task mine reads review and reply_text"):
        read_upload(uploaded("x.csv", csv_of(rows)), ChosenColumns(("first",), None), studies["pairs"], None)
    rows[3]["score"] = "high"
    with pytest.raises(DataError, match="row 4 is 'high', expected a number"):
        read_upload(uploaded("x.csv", csv_of(rows)), columns, studies["scores"], None)


@pytest.mark.parametrize(("study", "has_labels"), [("mine", False), ("mine", True), ("scores", False), ("sst2", False)])
def test_a_run_holds_unlabelled_texts_against_the_teacher_s_answers(
    studies: dict[str, Study], study: str, has_labels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    this = studies[study]
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(this.folder.parent / ELSEWHERE))
    networks, problems = load_networks(this, (TEACHER, slim(BUDGET)))
    assert not problems
    columns = ("first", "second")[: len(this.task.text)]
    rows = [
        dict.fromkeys(columns, f"a {word} film") | {"verdict": ("meh", "great_stuff")[number % 2]}
        for number, word in enumerate(["good", "bad", "warm", "cold", "very", "not", "soup", "dog"])
    ]
    chosen = ChosenColumns(columns, "verdict" if has_labels else None)
    drawn = read_upload(uploaded("x.csv", csv_of(rows)), chosen, this, None)
    run = LiveRun(this, networks, drawn, RunSettings(3, None), "uploaded")
    list(run.steps())
    teacher, cut = run.rows()
    answers = [predictions(this.task, predict_logits(network, drawn.examples)) for network in networks]
    if this.task.is_regression:
        assert cut["metric"] == "correlation"
        assert -1 <= cut["correlation"] <= 1
        assert cut["correct"] is None
    else:
        same = int((answers[0] == answers[1]).sum())
        assert cut["agreement"] == pytest.approx(same / 8)
        assert cut["metric"] == ("accuracy" if has_labels else "agreement")
        if not has_labels:
            assert cut["correct"] == same
    assert ("metric" in teacher) == has_labels
    alone = LiveRun(this, networks[1:], drawn, RunSettings(8, None), "uploaded")
    list(alone.steps())
    assert ("metric" in alone.rows()[0]) == has_labels
    assert alone.rows()[0]["median_ms"] > 0
    json.dumps([run.rows(), alone.rows()])


def test_the_limit_is_the_server_s_too() -> None:
    config = Path(upload.__file__).resolve().parents[2] / ".streamlit" / "config.toml"
    assert tomllib.loads(config.read_text())["server"]["maxUploadSize"] == upload.MOST_MEGABYTES
