from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from slimviz.pages import study as page_module
from tests.factories.own_study import own_task, write_own_study
from tests.factories.study_document import edit, write_document
from tests.factories.synthetic_study import write_study
from tests.slimviz.pages.test_odd_studies import HOSTILE, hostile, only_a_teacher


def said(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "").replace("\u2060", "")


def test_a_study_accounts_for_itself(open_page: Callable[..., AppTest]) -> None:
    page = open_page("study", study="mnli", budget="25", stage="slim")  # three labels
    assert not page.exception
    assert not page.error
    assert not page.warning
    words = said(page)
    assert "the slim network at 25% of the parameters" in words
    assert "Loss falls from 1 at step 0 to 0.167 at step 250." in words
    assert "Share of units alive falls from 100.0%" in words
    assert "Alive: units whose importance factor is above 0.05." in words
    assert len(page.get("vega_lite_chart")) == 2
    assert page.code[0].value.startswith("python -m pruning run")
    labels = [button.proto.label.replace("\\", "") for button in page.get("download_button")]
    assert labels == [
        *("PNG", "SVG", "HTML", "CSV"),  # of the curves
        "report-25.html",
        "study.json",
        "history.jsonl",
        "factors.safetensors",
        "masks.safetensors",
        "results.csv",
        "speed.csv",
    ]
    assert page.query_params["stage"] in ("slim", ["slim"])
    assert "Not computed again" in words


def test_checksums_are_computed_again_on_a_click(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_study(tmp_path, "stsb")  # a regression
    path = folder / "slim-10" / "tokenizer.json"
    path.write_text("[]")  # as long as what was there
    (folder / "slim-10" / "config.json").unlink()
    page = open_page("study", tmp_path, stage="recover-99")
    assert 'STS-B has no stage "recover-99"; showing teacher.' in said(page)
    page.button(key="study-verify").click().run()
    assert not page.exception
    words = said(page)
    count = len(json.loads((folder / "study.json").read_text())["files"])
    assert f"{count - 2} of {count} files are what was stored" in words
    assert "slim-10/tokenizer.json: its checksum is not the one stored" in words
    assert "slim-10/config.json: missing" in words
    shown = next(frame.value for frame in page.dataframe if "Now" in frame.value)
    assert dict(shown.set_index("File")[""])["slim-10/tokenizer.json"] == "✗ differs"


def test_odd_studies_have_their_page(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_study(tmp_path, "sst2")
    edit(folder, hostile)
    page = open_page("study", tmp_path, study="sst2")
    assert not page.exception
    assert not page.error
    assert page.code[0].value == HOSTILE
    assert not any("<script>" in one.value.replace("\\<", "") for one in (*page.markdown, *page.caption))
    edit(folder, only_a_teacher)
    (folder / "history.jsonl").write_bytes(b"\n")
    write_document(folder, json.loads((folder / "study.json").read_text()))
    page = open_page("study", tmp_path, study="sst2")
    assert not page.exception
    assert "holds no slim network yet" in said(page)
    assert "Training reported nothing" in said(page)
    (folder / "history.jsonl").write_bytes(b"{")
    page = open_page("study", tmp_path, study="sst2")
    assert [error.value.replace("\\", "")[:34] for error in page.error] == ["How it was trained cannot be shown"]


def test_an_own_study_without_labels_says_nothing_of_glue(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_own_study(tmp_path, own_task("sst2", is_labelled=False), like="sst2")
    page = open_page("study", tmp_path, study="mine")
    assert not page.exception
    assert not page.error
    words = said(page)
    assert "the share of texts that get the teacher's answer; nobody says what is right" in words
    assert "taken as it is" in words
    assert "GLUE" not in words
    assert "Floor" not in words


def test_rows_that_differ_in_their_columns_make_one_table() -> None:
    table = page_module._csv([{"a": 1, "b": None}, {"a": 2, "c": "x,y"}])
    assert table == b'a,b,c\n1,,\n2,,"x,y"\n'
