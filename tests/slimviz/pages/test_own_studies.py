"""Studies of one's own on all pages: label words and columns of the study, agreement where there are no labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.factories.own_study import ELSEWHERE, own_task, teacher_of, write_own_study
from tests.factories.study_document import add_ablations, edit
from tests.factories.tiny_study import BUDGET, write_tiny_study
from tests.slimviz.pages.live_runs import finished

PAGES = ("", "tradeoffs", "advice", "study", "survivors", "heads", "anatomy", "play", "live")
NOT_SAID = ("GLUE", "whole validation split", "--data", "probe set", "floor", "most frequent class", "Retention")
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:1) $x$ \u202e {0} %s"
TEACHER = teacher_of("mine")
ALONE = f"The study only names its teacher, {TEACHER}, which is not on this machine: the slim network answers alone."


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, no_network_cached: None) -> None:
    monkeypatch.delenv("SLIMVIZ_BACKBONES", raising=False)
    monkeypatch.setattr("slimviz.live.run.SPEED_ROUNDS", 5)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each kind of study: unlabelled, labelled, a regression without labels, pairs."""
    made = {}
    for name, like, is_labelled in (
        ("unlabelled", "sst2", False),
        ("labelled", "sst2", True),
        ("scores", "stsb", False),
        ("pairs", "mrpc", False),
    ):
        made[name] = tmp_path_factory.mktemp(name)
        folder = write_own_study(made[name], own_task(like, is_labelled=is_labelled), like=like)
        edit(folder, add_ablations)
    return made


def said(page: AppTest) -> str:
    """Everything written on the page, escapes removed."""
    kinds = (page.subheader, page.markdown, page.caption, page.warning, page.info, page.error, page.text)
    words = [element.value for kind in kinds for element in kind]
    words += [f"{metric.label} {metric.value} {metric.help}" for metric in page.metric]
    words += [table.value.to_csv() for table in page.table]
    return "\n".join(words).replace("\\", "").replace("\u2060", "")


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


@pytest.mark.parametrize("path", PAGES)
def test_no_page_speaks_of_glue_floors_or_scores_that_nobody_gave(
    open_page: Callable[..., AppTest], own: dict[str, Path], path: str
) -> None:
    page = open_page(path, own["unlabelled"], study="mine")
    assert not page.exception
    assert not page.error
    words = said(page)
    assert [word for word in NOT_SAID if word in words] == []


def test_overview_says_agreement_once_and_leaves_the_teacher_s_own_out(
    open_page: Callable[..., AppTest], own: dict[str, Path]
) -> None:
    page = open_page("", own["unlabelled"], study="mine")
    shown, words = figures(page), said(page)
    assert shown["Agreement with the teacher"] == "96.3%"
    assert shown["KL divergence"] == "0.034"
    assert "Slim minus teacher" not in shown
    assert "289/300 texts · 95% interval 94.3% to 98.3% · one same answer to all: 61.0%" in words
    assert "gives its teacher's answer to 96.3% of the texts held out (289/300)" in words
    assert "1.000" not in words
    assert "100.0%" not in page.table[0].value.to_csv().replace("Total", "")
    description = f"File reviews.csv, column review; no labels, its teacher ({TEACHER}) answers: meh, great_stuff"
    assert description in words
    assert f"mine's slim networks give its teacher's answer to 96.3% at {BUDGET}%" in words
    assert {"Divergence", "Before recovery"} <= set(page.table[0].value.columns)


def test_scores_without_labels_are_a_correlation(open_page: Callable[..., AppTest], own: dict[str, Path]) -> None:
    page = open_page("", own["scores"], study="mine")
    assert not page.exception
    assert figures(page)["Correlation with the teacher"] == "0.963"
    assert figures(page)["Squared difference"] == "0.034"
    assert "gives scores that correlate with its teacher's at 0.963" in said(page)
    assert f"columns review and reply_text; no labels, its teacher ({TEACHER}) answers: scores" in said(page)


def test_with_labels_the_metric_stays_and_agreement_stands_beside_it(
    open_page: Callable[..., AppTest], own: dict[str, Path]
) -> None:
    page = open_page("", own["labelled"], study="mine")
    assert not page.exception
    assert {"Accuracy", "Slim minus teacher"} <= set(figures(page))
    assert list(page.table[0].value["Like the teacher"]) == ["95.3% of answers"]
    assert "File reviews.csv, column review; labels in verdict: meh, great_stuff" in said(page)
    assert "GLUE" not in said(page)


def test_the_mean_over_studies_leaves_agreement_out(
    open_page: Callable[..., AppTest], own: dict[str, Path], tmp_path: Path
) -> None:
    write_tiny_study(tmp_path, "sst2")
    page = open_page("", own["unlabelled"], tmp_path, budget=BUDGET)
    headline = said(page)
    assert "the slim network for SST-2 " in headline
    assert "mine has no labels and is left out." in headline


def test_agreement_that_one_same_answer_would_reach_is_no_merit(
    open_page: Callable[..., AppTest], own: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    for floor, caution in (
        (0.95, "mine's slim network agrees with its teacher hardly more often than one same answer to all texts would"),
        (1.0, "mine's teacher gives one and the same answer to 300 of 300 texts: agreement with it says little."),
    ):
        shutil.copytree(own["unlabelled"] / "mine", folder, dirs_exist_ok=True)
        edit(folder, lambda document, floor=floor: document["floor"].update(agreement=floor))
        edit(folder, lambda document: document.update(ablations=[]))
        assert caution in said(open_page("", tmp_path, study="mine"))


def test_maps_are_true_where_the_teacher_s_answers_stay_the_same(
    open_page: Callable[..., AppTest], own: dict[str, Path]
) -> None:
    words = said(open_page("heads", own["unlabelled"], study="mine"))
    assert "the teacher gives the same answer as with all to 98% of 1,000 validation texts; in random orders" in words
    words = said(open_page("heads", own["scores"], study="mine"))
    assert "the teacher's scores of 1,000 validation texts correlate with those of all heads at 0." in words


@pytest.mark.parametrize("path", ["play", "live"])
def test_a_teacher_that_is_not_here_is_one_sentence_and_never_loaded(
    open_page: Callable[..., AppTest], own: dict[str, Path], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def note(study, variants, *rest):
        tried.extend(map(str, variants))
        return original(study, variants, *rest)

    from slimviz.widgets import networks

    original = networks.load_networks
    monkeypatch.setattr(networks, "load_networks", note)
    page = open_page(path, own["unlabelled"], study="mine")
    for _ in range(2):
        assert not page.exception
        assert [info.value.replace("\\", "") for info in page.info] == [ALONE]
        assert not page.warning
        if path == "play":
            page.text_area[0].set_value("the film is good")
        next(button for button in page.button if button.label.startswith(("Ask", "Measure"))).click()
        page = finished(page.run())
    assert set(tried) == {f"slim-{BUDGET}"}


def test_a_teacher_that_is_here_answers_and_is_looked_for_once(
    open_page: Callable[..., AppTest], own: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.bert import backbones

    looked: list[str] = []
    original = backbones.find_recorded_backbone

    def note(*arguments, **named):
        looked.append(arguments[0])
        return original(*arguments, **named)

    monkeypatch.setattr(backbones, "find_recorded_backbone", note)
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(own["unlabelled"] / ELSEWHERE))
    page = open_page("play", own["unlabelled"], study="mine")
    for _ in range(3):
        page = page.run()
    assert looked == [TEACHER]
    page.text_area[0].set_value("the film is good")
    next(button for button in page.button if button.label == "Ask both networks").click()
    page = page.run()
    assert not page.exception
    assert not page.info
    assert "They " in said(page)
    (bars, _) = [element.proto.body for element in page.get("html") if "aria-hidden" in element.proto.body]
    assert "great_stuff" in bars  # as the model calls it


def test_a_model_of_that_name_with_other_weights_is_not_the_teacher(
    open_page: Callable[..., AppTest], own: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(own["pairs"] / ELSEWHERE / TEACHER, tmp_path / TEACHER)
    weights = tmp_path / TEACHER / "model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    monkeypatch.setenv("SLIMVIZ_BACKBONES", str(tmp_path))
    page = open_page("play", own["unlabelled"], study="mine")
    assert "which cannot be taken from here" in page.info[0].value
    assert "the slim network answers alone" in page.info[0].value


def test_the_playground_is_neutral_and_names_the_study_s_columns(
    open_page: Callable[..., AppTest], own: dict[str, Path]
) -> None:
    page = open_page("play", own["pairs"], study="mine")
    assert [field.label for field in page.text_area] == ["Review", "Reply text"]
    assert {field.proto.placeholder for field in page.text_area} == {"Type a text"}
    for field in page.text_area:
        field.set_value("שלום")
    next(button for button in page.button if button.label.startswith("Ask")).click()
    page = page.run()
    assert not page.exception
    assert "English" not in said(page)
    page = open_page("play", own["scores"], study="mine")
    for field in page.text_area:
        field.set_value("a good film")
    next(button for button in page.button if button.label.startswith("Ask")).click()
    page = page.run()
    bodies = "".join(element.proto.body for element in page.get("html"))
    assert "score" in bodies
    assert "aria-hidden" not in bodies  # no bar: nobody says what a full one would be


def test_hostile_words_and_columns(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    task = own_task("mrpc", labels=(HOSTILE, "x" * 3000), text=(HOSTILE, "b" * 500), label="<i>")
    folder = write_own_study(tmp_path, task, like="mrpc")
    edit(folder, lambda document: document["provenance"]["data"].update(source=f"file {HOSTILE}.csv"))
    for path in PAGES:
        page = open_page(path, tmp_path, study="mine")
        assert not page.exception, path
        if path == "play":
            for field in page.text_area:
                field.set_value("a good film")
                assert "<script" not in field.label.replace("\\<", "")
            next(button for button in page.button if button.label.startswith("Ask")).click()
            page = page.run()
            assert not page.exception
            assert not any("<script" in element.proto.body for element in page.get("html"))
        shown = (*page.markdown, *page.caption, *page.error, *page.warning, *page.info)
        assert not any("<script" in element.value.replace("\\<", "") for element in shown)
        assert not any("](" in element.value.replace("\\]", "") for element in shown), path
    json.dumps(task.to_json())
