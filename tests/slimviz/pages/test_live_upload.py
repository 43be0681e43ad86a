"""Live on a file that the visitor uploads: columns chosen on screen, results, and what is wrong with a file."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimviz.pages import live as live_page
from slimviz.widgets.upload import NO_LABELS, NOTHING_TO_COMPARE
from tests.factories.own_study import ELSEWHERE, own_task, write_own_study
from tests.factories.tiny_study import BUDGET, write_tiny_study
from tests.slimviz.pages import live_runs

WORDS = ("good", "bad", "warm", "cold", "very", "not") * 6
MARKUP = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:1) $x$"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, no_network_cached: None) -> None:
    """No GLUE, no hub, no teachers but those that a test names, no network in the cache."""
    monkeypatch.setattr("slimviz.live.examples._hub_answers", lambda: False)
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 5)
    for name in ("SLIMVIZ_GLUE", "SLIMVIZ_BACKBONES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies of a given teacher, single texts and pairs, without labels, and one of GLUE's SST-2."""
    made = tmp_path_factory.mktemp("studies")
    write_own_study(made, own_task())
    write_own_study(made, own_task("mrpc"), like="mrpc", name="pairs")
    write_own_study(made, own_task(is_labelled=True), name="labelled")
    write_tiny_study(made, "sst2")
    return made


def csv_file(name: str = "mine.csv", header: str = "text,kind", labels: tuple[str, str] = ("meh", "great_stuff")):
    lines = [header, *(f"a {word} film,{labels[number % 2]}" for number, word in enumerate(WORDS))]
    return name, "\n".join(lines).encode(), "text/csv"


def upload(page: AppTest, file: tuple[str, bytes, str]) -> AppTest:
    for radio in page.radio:
        if radio.label == "Data":
            page = radio.set_value(live_page.FILE).run()
            break
    return page.file_uploader[0].set_value(file).run()


def box(page: AppTest, label: str):
    return next(box for box in page.selectbox if box.label == label)


def button(page: AppTest):
    return next(button for button in page.button if button.label == "Measure now")


def measure(page: AppTest) -> AppTest:
    page = live_runs.measure(page)
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    kinds = (page.subheader, page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "").replace("\u2060", "")


def test_texts_without_labels_are_held_against_the_teacher(
    open_page: Callable[..., AppTest], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(folder / ELSEWHERE))
    page = open_page("live", folder, study="mine")
    assert not any(box.label == "Examples" for box in page.selectbox)
    page = upload(page, csv_file())
    assert (box(page, "Column of the texts").value, box(page, "Column of the labels").value) == ("text", None)
    assert box(page, "Column of the labels").options == [NO_LABELS, "text", "kind"]
    assert box(page, "Length timed (tokens)").value == live_page.REAL
    page = measure(page)
    assert not page.error
    words = said(page)
    assert "On 36 examples of your file mine.csv, without labels: the slim network" in words
    assert "gives the teacher's answer to **" in words
    assert "/36)**" in words
    assert "right" not in words
    assert "Stored with the study, agreement with the teacher on the 300 texts it was scored on" in words
    (table, runs) = (page.dataframe[0].value, page.session_state[live_page.RUNS])
    assert not {"Accuracy", "Retention", "Right"} & set(table.columns)
    assert "metric" not in runs[0][0]
    assert "a good film" not in json.dumps(runs)  # no text of the visitor's outlives the run


def test_with_labels_the_task_s_metric_is_measured(
    open_page: Callable[..., AppTest], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(folder / ELSEWHERE))
    for study in ("mine", "labelled"):
        page = upload(open_page("live", folder, study=study), csv_file(header="review,verdict"))
        assert box(page, "Column of the texts").value == "review"
        assert box(page, "Column of the labels").value == ("verdict" if study == "labelled" else None)
        box(page, "Column of the labels").set_value("verdict")
        page = measure(page)
        assert "accuracy (" in said(page)
        assert "Labels aside, slim gives the teacher's answer to " in said(page)
        assert "GLUE" not in said(page)


def test_without_labels_and_teacher_the_slim_network_is_timed_alone(
    open_page: Callable[..., AppTest], folder: Path
) -> None:
    page = upload(open_page("live", folder, study="mine"), csv_file())
    assert box(page, "Column of the labels").options[0] == NOTHING_TO_COMPARE
    page = measure(page)
    assert "there is nothing to hold its answers against" in said(page)
    assert list(page.dataframe[0].value["Network"]) == [f"The slim network ({BUDGET}%)"]
    assert page.dataframe[0].value["Median"][0].endswith(" ms")


def test_a_study_of_glue_takes_a_file_too(open_page: Callable[..., AppTest], folder: Path) -> None:
    page = upload(open_page("live", folder, study="sst2"), csv_file(labels=("negative", "positive")))
    page = measure(page)
    assert "On 36 examples of your file mine.csv, without labels" in said(page)
    box(page, "Column of the labels").set_value("kind")
    page = measure(page)
    assert "On 36 examples of your file mine.csv: the teacher reaches **" in said(page)


def test_pairs_choose_two_columns(open_page: Callable[..., AppTest], folder: Path) -> None:
    content = b"a,b,c\n" + b"".join(b"a %s film,a soup,meh\n" % word.encode() for word in WORDS)
    page = upload(open_page("live", folder, study="pairs"), ("pairs.csv", content, "text/csv"))
    assert [box(page, f"Column of the {which} texts").value for which in ("first", "second")] == ["a", "b"]
    page = measure(page)
    assert not page.error
    box(page, "Column of the second texts").set_value("a")
    page = measure(page)
    assert "expected a different column for each text" in page.error[0].value


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "x.csv: is empty"),
        ("x.csv", b'text\n"open', "is not CSV"),
        ("x.csv", b"\xff\xfe\x00", "cannot be decoded, expected text in UTF-8"),
        ("x.jsonl", b"[1]", "is not an object"),
        ("x.jsonl", b"\n", "holds no rows"),
        ("x.parquet", b"PAR1", "is not parquet"),
        ("x.csv", b"c," * 300 + b"\n", "has 301 columns, expected at most 256"),
        ("x.csv", b"a" * (20 * 2**20 + 1), "expected at most 20 MB"),
    ],
)
def test_what_is_no_table_is_one_line_and_nothing_can_be_measured(
    open_page: Callable[..., AppTest], folder: Path, name: str, content: bytes, message: str
) -> None:
    page = upload(open_page("live", folder, study="mine"), (name, content, "text/csv"))
    assert not page.exception
    if not page.error:  # the header alone is well
        page = measure(page)
    assert len(page.error) == 1
    assert message in page.error[0].value.replace("\\", "")
    page = upload(page, csv_file())
    assert not page.error
    assert not button(page).disabled


def test_a_wrong_label_shows_both_sides_and_the_rest_of_the_page_stays(
    open_page: Callable[..., AppTest], folder: Path
) -> None:
    page = upload(open_page("live", folder, study="mine"), csv_file(labels=("bad", "good")))
    box(page, "Column of the labels").set_value("kind")
    page = measure(page)
    (line,) = [error.value.replace("\\", "") for error in page.error]
    assert "row 1 has the unknown label 'bad', expected meh, great_stuff; the column holds bad, good" in line
    assert not button(page).disabled
    assert live_page.RUNNING not in page.session_state


def test_hostile_names_and_contents_are_shown_as_they_are(open_page: Callable[..., AppTest], folder: Path) -> None:
    rows = [{MARKUP: f"a film {MARKUP}", "<b>": MARKUP} for _ in range(3)]
    stream = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    page = open_page("live", folder, study="mine")
    page = upload(page, (f"{MARKUP}.jsonl".replace("/", "_"), stream.getvalue(), ""))
    assert box(page, "Column of the texts").options[0] == MARKUP
    page = measure(page)
    assert not page.error
    box(page, "Column of the labels").set_value("<b>")
    page = measure(page)
    (error,) = page.error
    assert "unknown label" in error.value
    for element in (*page.markdown, *page.caption, *page.error, *page.subheader, *page.info):
        assert "<script" not in element.value.replace("\\<", "")
        assert "](" not in element.value.replace("\\]", "")
