from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from slimviz.widgets import task_rows
from tests.factories.study_document import add_networks, edit
from tests.factories.synthetic_study import write_study


def texts(page: AppTest) -> str:
    """All Markdown and captions of a page."""
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def rows(page: AppTest) -> str:
    """The HTML of the rows, a task each."""
    (component,) = [one for one in page.get("bidi_component") if "slimviz_task_rows" in one.proto.component_name]
    return component.proto.json


def studies_in(page: AppTest) -> list[str]:
    return re.findall(r'data-study=\\?"([^"\\]+)', rows(page))


def test_the_first_screen_says_what_this_is_and_has_a_row_a_task(open_page: Callable[..., AppTest]) -> None:
    page = open_page("")
    assert not page.exception
    assert not page.error
    assert page.title[0].value == "SlimViz: BERT cut small for each task. What survived, and was it worth it?"
    plain = texts(page).replace("\\", "")
    assert "A teacher (synthetic-bert, 22.7 M parameters or synthetic-wide, " in plain
    assert "the slim network that is left of it" in plain
    assert studies_in(page) == ["cola", "mnli", "mrpc", "sst2", "stsb"]
    assert "At 10% of their teachers' parameters, 4 of 5 tasks show no loss beyond 3 points" in plain
    assert page.query_params["budget"] in ("10", ["10"])
    assert page.query_params["margin"] in ("3", ["3"])
    assert page.query_params["study"] in ("cola", ["cola"])


def test_the_open_study_has_its_network_and_numbers(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", study="sst2")
    figures = [(metric.label, metric.value) for metric in page.metric]
    assert ("as fast, batch 32", "7.0×") in figures
    assert ("Accuracy", "0.889") in figures
    assert [label for label, _ in figures].count("Slim minus teacher") == 1
    (value,) = [value for label, value in figures if label == "slim minus teacher"]
    assert re.fullmatch(r"[−+±][0-9.]+ to [−+±][0-9.]+", value)  # what may be lost, not a ratio
    plain = texts(page).replace("\\", "")
    assert "775/872 · teacher 0.905 (789) · floor 0.509" in plain
    assert "3.9× at batch 1 · CPU, 2 threads, 32 tokens" in plain
    assert "commit 0123456" in plain
    assert 'role="img" aria-label="What is left of SST-2' in "".join(element.proto.body for element in page.get("html"))


def test_no_share_above_all_and_no_figure_of_a_weak_teacher(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    def change(document: dict) -> None:
        for row in document["results"]:
            row |= {"retention": 1.06, "retention_above_floor": 2.0} if row["variant"]["method"] == "slim" else {}
        document["results"][0] |= {"correct": 155, "count": 277, "metrics": {"accuracy": 155 / 277}}

    edit(write_study(tmp_path, "rte"), change)
    page = open_page("", tmp_path)
    assert not page.exception
    plain = texts(page).replace("\\", "") + page.table[0].value.to_csv()
    assert "200.0%" not in plain
    assert "106.0%" not in plain
    assert "keeps all" in plain
    assert list(page.table[0].value["Kept above floor"]) == ["–"] * 4
    assert "nothing can be said of RTE" in plain
    assert "teacher not above floor" in rows(page)


def test_the_margin_is_the_visitor_s(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", margin="1")
    assert "no loss beyond 1 point" in texts(page)
    page.segmented_control[1].set_value("10").run()
    assert "5 of 5 tasks show no loss beyond 10 points" in texts(page)
    assert page.query_params["margin"] in ("10", ["10"])
    assert "no loss beyond 10" in rows(page)


def test_a_row_that_is_opened_is_the_study_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    changed: dict[str, str] = {}
    monkeypatch.setattr(task_rows.st, "session_state", {task_rows.KEY: {"study": "mrpc"}})
    monkeypatch.setattr(task_rows.parameters, "change", lambda **texts: changed.update(texts))
    task_rows._open()
    assert changed == {"study": "mrpc"}


def test_links_carry_study_and_budget_and_lead_to_weights_that_are_there(open_page: Callable[..., AppTest]) -> None:
    page = open_page("", study="sst2", budget="25")
    links = {link.proto.label: link.proto for link in page.get("page_link")}
    assert {link.page for link in links.values()} == {"study", "survivors", "heads", "play", "live"}
    assert all("study=sst2" in link.query_string for link in links.values())
    assert "studies=sst2" in links["See heads"].query_string
    assert "budget=25" in links["See heads"].query_string
    for label, link in links.items():  # only 10% has weights
        asks = link.page in ("play", "live")
        assert ("budget=10" in link.query_string) == asks == ("10" in label)
    assert "At 25% numbers are stored, no weights." in texts(page).replace("\\", "")
    at_10 = {link.proto.label for link in open_page("", study="sst2", budget="10").get("page_link")}
    assert {"Ask it something", "Measure it here"} <= at_10


@pytest.mark.parametrize(
    ("study", "words"), [("sst2", "always answering the most frequent class"), ("cola", "what answers by chance score")]
)
def test_the_floor_s_help_is_of_its_metric(open_page: Callable[..., AppTest], study: str, words: str) -> None:
    page = open_page("", study=study)
    (help_text,) = [metric.help for metric in page.metric if metric.label in ("Accuracy", "MCC")]
    assert words in help_text


def test_every_page_explains_its_words_and_no_page_is_unknown_in_silence(open_page: Callable[..., AppTest]) -> None:
    for path in ("", "survivors", "heads"):
        words = texts(open_page(path))
        assert all(f"**{word}**" in words for word in ("Teacher", "Slim", "Floor", "Interval"))
    page = open_page("", unknown="<b>x")
    assert [warning.value.replace("\\", "") for warning in page.warning] == [
        'There is no page "<b>x" here; this is the first one.'
    ]


def test_nine_tasks_make_the_page_no_longer(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    for task in ("sst2", "cola", "mrpc", "rte", "stsb", "mnli", "wnli"):
        write_study(tmp_path / "nine", task, budgets=("10",))
    for name in ("own", "another"):
        write_study(tmp_path / "nine", "sst2", name=name, budgets=("10",))
    write_study(tmp_path / "one", "sst2", budgets=("10",))
    nine, one = open_page("", tmp_path / "nine"), open_page("", tmp_path / "one", study="sst2")
    assert not nine.exception
    assert (len(studies_in(nine)), len(studies_in(one))) == (9, 1)
    for kind in ("metric", "table", "html", "page_link"):
        assert len(nine.get(kind)) == len(one.get(kind)), kind


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
    assert "Recovered with other seeds: −4.5 and −5.5." in plain
    assert rows(page).count('class=\\"seed\\"') == 2
    assert "STS-B learned from 1,000 of GLUE's 5,749 training rows, so it is not comparable" in plain
    assert "STS-B's teacher starts from MNLI's." in plain
    assert [cell != "" for cell in page.table[0].value["Over seeds"]] == [False, False, True, True]
    alone = open_page("", tmp_path, study="wnli")
    assert "Over seeds" not in alone.table[0].value.columns
    assert "WNLI's validation split repeats sentences of the training split" in texts(alone).replace("\\", "")


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
    page = open_page("", tmp_path, study="sst2")
    assert not page.exception
    assert len(page.error) == 1
    assert "checksum" in page.error[0].value
    assert [metric.label for metric in page.metric].count("Total density") == 1
    assert len(studies_in(page)) == 2
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
    assert {"b/sst2", "b-sst2"} < set(studies_in(page))
    assert {"SST-2 (b/sst2)", "CoLA (b-sst2)"} <= set(re.findall(r"<b>([^<]+)</b><small>", rows(page)))
