from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.factories.study_document import add_networks, edit
from tests.factories.synthetic_study import write_study


def texts(page: AppTest) -> str:
    """All Markdown and captions of a page."""
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def test_every_study_has_its_numbers(open_page: Callable[..., AppTest]) -> None:
    page = open_page("")
    assert not page.exception
    assert not page.error
    assert page.header[0].value == "What survived, and was it worth it?"
    labels = [metric.label for metric in page.metric]
    assert labels.count("Retention") == 5
    assert labels.count("Accuracy") == 3
    assert {"MCC", "Pearson"} <= set(labels)
    assert "At 10% of their teachers' parameters, the 5 slim networks keep" in texts(page).replace("\\", "")
    plain = texts(page).replace("\\", "")
    assert "777/872" in plain or "775/872" in plain
    assert "floor 0.509" in plain
    assert "3.9× at batch 1 · CPU, 2 threads, 32 tokens" in plain
    assert "commit 0123456" in plain
    assert page.query_params["budget"] in ("10", ["10"])
    assert page.query_params["study"] in ("cola", ["cola"])


def test_every_cell_leads_to_a_page_with_study_and_budget(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", budget="25")
    links = page.get("page_link")
    assert len(links) == 5 * 5
    assert {link.proto.page for link in links} == {"survivors", "heads", "play", "live"}
    assert all("budget=25" in link.proto.query_string for link in links)
    assert {link.proto.query_string.split("&")[0] for link in links} == {
        f"study={name}" for name in ("cola", "mnli", "mrpc", "sst2", "stsb")
    }


def test_budgets_of_one_study_are_a_table(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", study="sst2")
    table = page.table[0].value
    assert list(table["Budget"]) == ["50%", "25%", "10%", "5%"]
    assert list(table["Stored"]) == ["numbers only", "numbers only", "numbers and weights", "numbers only"]
    assert list(table.columns)[2] == "Accuracy"


def test_seeds_samples_starts_and_wnli_are_said(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    def change(document: dict) -> None:
        add_networks(document, (1, 2), solved=True)
        document["provenance"]["data"]["train"]["rows"] = 1000
        document["provenance"]["start"] = {"study": "mnli", "sha256": "4" * 64}

    edit(write_study(tmp_path, "stsb"), change)
    write_study(tmp_path, "wnli")
    page = open_page("", tmp_path, study="stsb")
    assert not page.exception
    plain = texts(page).replace("\\", "")
    (score,) = [metric.value for metric in page.metric if metric.label == "Pearson"]
    assert f"floor 0.000 · Spearman 0.845, teacher 0.880 · {float(score) - 0.01:.3f} ± 0.010 (3 seeds)" in plain
    assert "STS-B learned from 1,000 of GLUE's 5,749 training rows, so it is not comparable" in plain
    assert "STS-B's teacher starts from mnli's." in plain
    assert "WNLI's validation split repeats sentences of the training split" in plain
    assert [cell != "" for cell in page.table[0].value["Over seeds"]] == [False, False, True, True]
    alone = open_page("", tmp_path, study="wnli")
    assert "Over seeds" not in alone.table[0].value.columns


def test_choosing_a_budget_changes_page_and_url(open_page: Callable[..., AppTest]) -> None:
    page = open_page("")
    page.segmented_control[0].set_value("5").run()
    assert page.query_params["budget"] in ("5", ["5"])
    assert "At 5% of their teachers' parameters" in texts(page).replace("\\", "")
    assert "not measured at this budget" in texts(page)


def test_unknown_url_values_are_one_line_each(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", study="../../etc/passwd", budget="<script>alert(1)</script>")
    assert not page.exception
    assert len(page.warning) == 2
    assert "<script>" not in "".join(warning.value for warning in page.warning).replace("\\<", "")
    assert page.query_params["budget"] in ("10", ["10"])


def test_no_studies_shows_the_command(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    for path in ("", "survivors", "heads"):
        page = open_page(path, tmp_path)
        assert not page.exception
        assert "There are no studies to show yet" in page.info[0].value
        assert page.code[0].value.startswith("python -m pruning run --task sst2")


def test_broken_studies_are_named_on_every_page(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path, "sst2")
    (write_study(tmp_path, "rte") / "study.json").write_text("[]")
    for path in ("", "survivors", "heads"):
        page = open_page(path, tmp_path)
        assert not page.exception
        named = [warning.value for warning in page.warning if "rte" in warning.value]
        assert len(named) == 1
        assert "cannot be shown" in named[0]
        assert "expected object, got array" in named[0]


def damage(folder: Path, name: str) -> None:
    """Change a file's content but not its size, as a bad disk or download does."""
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)


def test_damaged_masks_leave_the_rest_of_the_page(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    damage(write_study(tmp_path, "sst2"), "masks.safetensors")
    write_study(tmp_path, "cola")
    page = open_page("", tmp_path)
    assert not page.exception
    assert len(page.error) == 1
    assert "checksum" in page.error[0].value
    assert [metric.label for metric in page.metric].count("Retention") == 2
    heads = open_page("heads", tmp_path)
    assert not heads.exception
    assert heads.error[0].value.startswith("SST\\-2 cannot be shown")
    assert len(heads.get("vega_lite_chart")) > 0
    survivors = open_page("survivors", tmp_path, study="sst2")
    assert not survivors.exception
    assert any("The stored masks cannot be read" in element.value for element in survivors.markdown)
    damage(tmp_path / "sst2", "factors.safetensors")
    survivors = open_page("survivors", tmp_path, study="sst2")
    assert not survivors.exception
    assert "checksum" in survivors.error[0].value


def test_missing_weights_are_said(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    shutil.rmtree(write_study(tmp_path, "sst2") / "slim-10")
    page = open_page("", tmp_path)
    assert not page.exception
    assert list(page.table[0].value["Stored"]) == ["numbers only"] * 4


def test_results_that_are_not_there(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_study(tmp_path, "stsb")

    def strip(document: dict) -> None:
        document["speed"] = []
        document["results"] = [row for row in document["results"] if row["variant"]["method"] == "teacher"]

    edit(folder, strip)
    page = open_page("", tmp_path)
    assert not page.exception
    assert "No study has results at 10%" in texts(page)
    assert {metric.value for metric in page.metric} >= {"–"}


@pytest.mark.parametrize("path", ["", "survivors", "heads"])
def test_a_study_without_budgets_is_said(open_page: Callable[..., AppTest], tmp_path: Path, path: str) -> None:
    folder = write_study(tmp_path, "sst2")

    def strip(document: dict) -> None:
        document["selections"], document["speed"] = {}, []
        document["results"] = [row for row in document["results"] if row["variant"]["method"] == "teacher"]

    edit(folder, strip)
    page = open_page(path, tmp_path)
    assert not page.exception
    assert "stored budget yet" in page.info[0].value


def test_names_that_differ_in_a_slash_only_are_both_shown(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path / "one", "sst2")
    write_study(tmp_path / "b", "sst2")
    write_study(tmp_path / "one", "cola", name="b-sst2")
    page = open_page("", tmp_path / "one", tmp_path / "b")
    assert not page.exception
    assert {"SST-2 (b/sst2)", "CoLA (b-sst2)"} <= {option for box in page.selectbox for option in box.options}
