"""Which words speak for an answer: computed on demand, kept, and said for what it is worth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from slimviz.live.attributions import Explanation, explain
from slimviz.live.networks import _load_network
from tests.factories.study_document import edit, write_document
from tests.factories.tiny_backbone import make_tokenizer, vocabulary
from tests.factories.tiny_study import BUDGET, write_tiny_study
from tests.slimviz.pages.test_playground_page import ask, said

QUESTION = "Which words speak for it?"


@pytest.fixture(autouse=True)
def no_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    _load_network.clear()
    yield
    _load_network.clear()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was explained: label and texts."""
    calls: list[Any] = []

    def watched(networks: Any, label: int | None, *texts: str, **settings: Any) -> Explanation:
        calls.append((label, texts))
        return explain(networks, label, *texts, **settings)

    monkeypatch.setattr("slimviz.widgets.attributions.explain", watched)
    return calls


def charts(page: AppTest) -> list[str]:
    """What the charts of words say; the maps of heads to cut stand on the page as well."""
    found = [element.proto.alt for element in page.get("vega_lite_chart")]
    return [words for words in found if "heads by layer" not in words]


def test_nothing_is_computed_before_somebody_asks(
    open_page: Callable[..., AppTest], tiny_folder: Path, computed: list[Any]
) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2"), "The film is good")
    assert not page.exception
    assert QUESTION in [title.value for title in page.subheader]
    assert not charts(page)
    assert not computed
    assert page.query_params["explain"] == "off"
    (choice,) = (group for group in page.button_group if group.label == "Explain, word by word")
    assert choice.options == ["nothing", "negative", "positive"]


def test_both_networks_and_their_difference_are_explained_once(
    open_page: Callable[..., AppTest], tiny_folder: Path, computed: list[Any]
) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2", explain="1"), "The film is good")
    assert not page.exception
    assert computed == [(1, ("The film is good",))]
    slim = f"The slim network ({BUDGET}%)"
    assert [chart.partition(": ")[0] for chart in charts(page)] == ["The teacher", slim, "Slim minus teacher"]
    assert all(
        "added" not in chart and "what each word adds to the log-odds of positive" in chart for chart in charts(page)
    )
    assert all("; film: " in chart for chart in charts(page))
    words = said(page)
    assert "The teacher is moved most by “" in words
    assert words.count("(every word blotted out)") == 2
    assert words.count("off by ") == 2
    assert "Both networks spell every word in the same pieces." in words
    assert "[MASK] in place of each of its pieces" in words
    assert "gradients taken at 32 points" in words
    assert list(page.dataframe[0].value["Word"]) == ["The", "film", "is", "good"]
    page.run()
    assert len(computed) == 1
    page.query_params["explain"] = "0"
    page.run()
    page.query_params["explain"] = "1"
    page.run()
    assert [label for label, _ in computed] == [1, 0]
    page = ask(page, "a cold soup")
    assert computed[-1] == (1, ("a cold soup",))
    assert len(charts(page)) == 3


def test_scores_and_three_labels_of_pairs(
    open_page: Callable[..., AppTest], tiny_folder: Path, computed: list[Any]
) -> None:
    page = ask(open_page("play", tiny_folder, study="stsb", explain="0"), "the dog runs", "a dog runs")
    assert not page.exception
    assert computed == [(None, ("the dog runs", "a dog runs"))]
    assert "what each word adds to the score" in charts(page)[0]
    page = ask(open_page("play", tiny_folder, study="mnli", explain="2"), "the dog runs", "a dog runs")
    assert computed[-1][0] == 2
    assert "log-odds of contradiction" in charts(page)[2]
    page = ask(open_page("play", tiny_folder, study="stsb", explain="2"), "the dog runs", "a dog runs")
    assert not page.exception
    assert "Unknown label to explain" in said(page)
    assert len(computed) == 2


def test_respelled_words_are_underlined_and_typed_markup_is_not_markup(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    from pruning.bert.vocabulary import cut_tokenizer

    folder = write_tiny_study(tmp_path / "studies")
    kept = [number for number, piece in enumerate(vocabulary()) if piece != "film"]
    cut_tokenizer(make_tokenizer(), np.array(kept)).save_pretrained(folder / f"slim-{BUDGET}")
    write_document(folder, json.loads((folder / "study.json").read_text()))
    page = ask(open_page("play", tmp_path / "studies", explain="0"), "<u>a</u> film <img src=x>")
    assert not page.exception
    assert not page.error
    (line,) = (element.proto.body for element in page.get("html") if "<u>" in element.proto.body)
    assert line == "&lt;u&gt;a&lt;/u&gt; <u>film</u> &lt;img src=x&gt;"
    assert "so it reads “film” as f ##i ##l ##m." in said(page)


def test_without_a_teacher_the_slim_network_alone_is_explained(
    open_page: Callable[..., AppTest], tmp_path: Path
) -> None:
    shutil.rmtree(write_tiny_study(tmp_path / "studies") / "teacher")
    page = ask(open_page("play", tmp_path / "studies", explain="1"), "good film")
    assert not page.exception
    assert [chart.partition(": ")[0] for chart in charts(page)] == [f"The slim network ({BUDGET}%)"]
    assert "Underlined" not in said(page)
    assert "They weigh" not in said(page)


def test_odd_labels_are_escaped(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    labels = ["<b>no</b>", "*yes*"]
    edit(write_tiny_study(tmp_path / "studies"), lambda document: document["task"].update(name="mine", labels=labels))
    page = ask(open_page("play", tmp_path / "studies", explain="1"), "good film")
    assert not page.exception
    (choice,) = (group for group in page.button_group if group.label == "Explain, word by word")
    assert choice.options == ["nothing", r"\<b\>no\</b\>", r"\*yes\*"]
    assert "log-odds of *yes*" in charts(page)[0]


def test_what_cannot_be_read_is_not_explained(
    open_page: Callable[..., AppTest], tiny_folder: Path, computed: list[Any]
) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2", explain="1"), "🙂")
    assert not page.exception
    assert QUESTION not in [title.value for title in page.subheader]
    assert not computed


def test_many_labels_are_a_list(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimviz.widgets.attributions.MOST_BUTTONS", 2)
    page = ask(open_page("play", tiny_folder, study="mnli"), "the dog runs", "a dog runs")
    (box,) = (box for box in page.selectbox if box.label == "Explain, word by word")
    assert box.options == ["nothing", "entailment", "neutral", "contradiction"]
    page = box.select("1").run()
    assert not page.exception
    assert "log-odds of neutral" in charts(page)[0]
