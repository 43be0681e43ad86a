"""The Playground on real, tiny networks: answers, odd inputs, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from slimviz.live.networks import _load_network
from slimviz.pages import playground
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, tiny_examples, write_probe, write_tiny_study


@pytest.fixture(autouse=True)
def tiny_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("slimviz.widgets.answer.FEWEST_RUNS", 1)  # the machine may be busy with other things
    for task in ("sst2", "stsb"):
        write_probe(tmp_path / "probe", task)
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    _load_network.clear()
    yield
    _load_network.clear()


def ask(page: AppTest, *texts: str) -> AppTest:
    for field, text in zip(page.text_area, texts, strict=True):
        field.set_value(text)
    button(page).click()
    return page.run()


def button(page: AppTest) -> Button:
    return next(button for button in page.button if button.label.startswith("Ask"))


def said(page: AppTest) -> str:
    """Everything written on the page, escapes removed."""
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error, page.text)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def bars(page: AppTest) -> list[str]:
    bodies = [element.proto.body for element in page.get("html")]
    return [body for body in bodies if "aria-hidden" in body]


def test_it_opens_with_an_example_answered(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2")
    assert not page.exception
    assert [title.value for title in page.title] == ["What would it say to me?"]
    assert [field.label for field in page.text_area] == ["Sentence"]
    assert "Is this phrase of a film review positive or negative?" in said(page)
    examples = tiny_examples("sst2", 24)
    assert page.text_area[0].value == examples.texts[playground.pick(examples)[0]]
    assert [element.value for element in page.subheader] == [
        "Answer",
        "Which words speak for it?",
        "Cut a head",
        "Where they differ",
    ]
    assert len(bars(page)) == 2
    page.selectbox[0].select("stsb").run()  # its own example, since the visitor has asked nothing
    assert [field.value for field in page.text_area] == list(
        playground._example_texts(tiny_examples("stsb", 24), playground.pick(tiny_examples("stsb", 24))[0])
    )
    page = ask(page, "mine", "and mine")
    page.selectbox[0].select("mrpc").run()
    assert [field.value for field in page.text_area] == ["mine", "and mine"]


def test_a_pinned_head_is_said_and_can_be_unpinned(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2", head="1-2")
    assert not page.exception
    assert "Pinned: layer 1, head 2, " in said(page)
    assert f"in SST-2 at {BUDGET}%; rank " in said(page)
    (link,) = page.get("page_link")
    assert link.proto.page == "heads"
    assert all(part in link.proto.query_string for part in ("head=1-2", "studies=sst2", f"budget={BUDGET}"))
    next(button for button in page.button if button.label == "Unpin").click()
    page = page.run()
    assert "Pinned" not in said(page)
    assert "Pinned" not in said(open_page("play", tiny_folder, study="sst2"))


def test_a_weak_teacher_is_said_here_too(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    def at_its_floor(document: dict) -> None:
        document["floor"]["accuracy"] = document["results"][0]["metrics"]["accuracy"]

    edit(write_tiny_study(tmp_path / "studies"), at_its_floor)
    assert "teacher is not clearly above the floor itself" in said(open_page("play", tmp_path / "studies"))


def test_a_sentence_is_answered_by_both(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2"), "The film is good")
    assert not page.exception
    words = said(page)
    assert (
        "They agree, which does not make them right: teacher **positive** (" in words
        or "They disagree: the teacher says " in words
    )
    assert "“The film is good”" in words
    assert "4 word pieces read" in words
    assert "on the CPU" in words
    assert len(bars(page)) == 2
    for bar in bars(page):
        assert "negative" in bar
        assert "positive" in bar
        assert bar.count("%</span>") == 2
    assert "text" not in page.query_params
    assert "The film" not in str(page.query_params)


def test_pairs_scores_and_three_labels(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = ask(open_page("play", tiny_folder, study="mrpc"), "the dog runs", "a dog runs")
    assert [field.label for field in page.text_area] == ["Sentence 1", "Sentence 2"]
    assert "not equivalent" in bars(page)[0]
    page = ask(open_page("play", tiny_folder, study="stsb"), "the dog runs", "a dog runs")
    assert "on a scale to 5" in said(page)
    assert [bar.count("score, 0 to 5") for bar in bars(page)] == [1, 1]
    page = ask(open_page("play", tiny_folder, study="mnli"), "the dog runs", "a dog runs")
    assert [field.label for field in page.text_area] == ["Premise", "Hypothesis"]
    assert all(label in bars(page)[1] for label in ("entailment", "neutral", "contradiction"))


ODD = {
    "": "Sentence is empty: type a few words.",
    "   \n ": "Sentence holds only blanks and control characters: type a few words.",
    "\x00\x07\x1b": "Sentence holds only blanks and control characters: type a few words.",
    "🙂🙃🎉": "Nothing in this text is known to the networks' vocabularies",
    "\u200b\u200d": "Nothing in this text is known to the networks' vocabularies",
    "שלום עולם": "The networks were trained on English",
    "a good שלום עולם": "The networks were trained on English",
    "a good\x00 film": "Sentence: 1 control character was left out.",
    "a" * 10_000: "only the first 512 of 10,000 characters are read.",
    "good " * 2_000: "only the first 512 of 9,999 characters are read.",
    "good "
    * 100: f"reads {MAX_LENGTH - 2} word pieces at most of such a text; the last {102 - MAX_LENGTH} were left out.",
    "<script>alert(1)</script><img src=x onerror=alert(1)>": "“<script>alert(1)</script><img src=x onerror=alert(1)>”",
    "**bold** $x^2$ `code` :material/bolt: [a](b)": "“**bold** $x^2$ `code` :material/bolt: [a](b)”",
    "good 🙂": "2 word pieces read, 1 of them unknown",
    "'; DROP TABLE studies; --": "They ",
    "!": "1 word piece read",
    "{{ 7*7 }} ${7*7} %s %(x)s": "“{{ 7*7 }} ${7*7} %s %(x)s”",
}


@pytest.mark.parametrize("raw", ODD, ids=[ascii(raw)[:30] for raw in ODD])
def test_odd_inputs_get_a_clear_sentence(open_page: Callable[..., AppTest], tiny_folder: Path, raw: str) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2"), raw)
    assert not page.exception
    assert not page.error
    assert ODD[raw] in said(page)
    is_answered = any(text in said(page) for text in ("They agree", "They disagree"))
    assert is_answered is bool(bars(page))
    assert is_answered is not bool(page.warning)
    assert not any("<script" in bar for bar in bars(page))


def test_an_empty_half_of_a_pair_is_named(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = ask(open_page("play", tiny_folder, study="mrpc"), "the dog", " ")
    assert [warning.value.replace("\\", "") for warning in page.warning] == [
        "Sentence 2 holds only blanks and control characters: type a few words."
    ]
    assert not bars(page)


def test_an_example_is_answered_and_its_label_shown(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2")
    box = next(box for box in page.selectbox if box.label == "Try an example")
    assert len(box.options) == playground.EXAMPLES_SHOWN
    page = box.select_index(0).run()
    examples = tiny_examples("sst2", 24)
    number = playground.pick(examples)[0]
    assert page.text_area[0].value == examples.texts[number]
    assert len(bars(page)) == 2
    assert f"labelled **{('negative', 'positive')[examples.labels[number]]}** there" in said(page)
    page = ask(page, "my own words")
    assert "labelled" not in said(page)
    assert next(box for box in page.selectbox if box.label == "Try an example").value is None
    page = open_page("play", tiny_folder, study="stsb")
    page = next(box for box in page.selectbox if box.label == "Try an example").select_index(0).run()
    assert not page.exception
    assert "labelled **0.0** there" in said(page)


def test_without_a_probe_set_typing_is_all_there_is(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="mnli")
    assert not page.exception
    assert [box.label for box in page.selectbox] == ["Study"]


def test_the_question_is_asked_again_of_another_study(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = ask(open_page("play", tiny_folder, study="mrpc"), "the dog runs", "a dog runs")
    page.selectbox[0].select("stsb").run()
    assert "on a scale to 5" in said(page)
    assert [field.value for field in page.text_area] == ["the dog runs", "a dog runs"]
    page.selectbox[0].select("sst2").run()  # it reads one text, so there is nothing to ask
    assert not page.exception
    assert not bars(page)


def test_an_answer_is_kept_and_not_computed_again(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ask(open_page("play", tiny_folder, study="sst2"), "good")
    before = said(page)

    def refuse(*arguments: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("slimviz.pages.playground.predict", refuse)
    page.run()
    assert not page.exception
    assert said(page) == before


# What is missing


def test_teacher_missing(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    shutil.rmtree(write_tiny_study(tmp_path / "studies") / "teacher")
    page = open_page("play", tmp_path / "studies")
    assert "The teacher's weights are not in this study: the slim network answers alone." in said(page)
    page = ask(page, "good film")
    assert not page.exception
    assert f"The slim network ({BUDGET}%) says" in said(page)
    assert len(bars(page)) == 1


def test_backbone_missing(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_tiny_study(tmp_path / "studies")
    shutil.rmtree(tmp_path / "studies" / ".backbone")
    page = ask(open_page("play", tmp_path / "studies"), "good film")
    assert not page.exception
    assert "The teacher cannot be loaded: backbone" in said(page)
    assert "The other network answers alone." in said(page)
    assert len(bars(page)) == 1
    assert "cannot be loaded" in said(page.run())  # tried again, said again


def test_slim_weights_missing_or_damaged(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path / "studies")
    weights = folder / f"slim-{BUDGET}" / "model.safetensors"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    page = ask(open_page("play", tmp_path / "studies"), "good film")
    assert not page.exception
    assert f"The slim network ({BUDGET}%) cannot be loaded" in said(page)
    assert len(bars(page)) == 1
    shutil.rmtree(folder / f"slim-{BUDGET}")
    page = ask(open_page("play", tmp_path / "studies"), "good film")
    assert "This study holds no slim network's weights: the teacher answers alone." in said(page)
    assert "The teacher says" in said(page)
    shutil.rmtree(folder / "teacher")
    page = open_page("play", tmp_path / "studies")
    assert not page.exception
    assert "nothing can answer" in said(page)
    assert not page.text_area


def test_no_network_loads(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path / "studies", "sst2")  # its weights are empty tensors
    page = ask(open_page("play", tmp_path / "studies"), "good film")
    assert not page.exception
    assert "The teacher cannot be loaded" in said(page)
    assert "The slim network (10%) cannot be loaded" in said(page)
    assert not bars(page)


def test_budgets_without_weights_are_not_offered(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    write_study(tmp_path / "studies", "sst2", budgets=("50", "25", "10"), shipped=("25", "10"))
    page = open_page("play", tmp_path / "studies", budget="50")
    assert "At 50% this study holds numbers but no weights; showing 10%." in said(page)
    assert page.button_group[0].options == ["25%", "10%"] if page.button_group else True
    page = open_page("play", tmp_path / "studies", budget="nonsense")
    assert "Unknown budget" in said(page)
    assert not page.exception


def test_no_studies_and_broken_ones(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    page = open_page("play", tmp_path / "empty")
    assert not page.exception
    assert "There are no studies to show yet" in said(page)
    (write_study(tmp_path / "broken", "sst2") / "study.json").write_text("{")
    page = open_page("play", tmp_path / "broken")
    assert not page.exception
    assert "cannot be shown" in said(page)


def test_label_words_are_escaped(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path / "studies")
    edit(folder, lambda document: document["task"].update(name="mine", labels=["<b>no</b>", "*yes*"]))
    page = ask(open_page("play", tmp_path / "studies"), "good film")
    assert not page.exception
    assert "&lt;b&gt;no&lt;/b&gt;" in bars(page)[0]
    assert "<b>" not in bars(page)[0]


# Pure parts


def test_examples_are_short_and_of_all_labels() -> None:
    examples = tiny_examples("mnli", 30)
    picked = playground.pick(examples)
    assert len(picked) == len(set(picked)) == playground.EXAMPLES_SHOWN
    assert {int(examples.labels[number]) for number in picked} == {0, 1, 2}
    assert playground.pick(examples) == picked
    assert playground.pick(tiny_examples("stsb", 3), number=8) == [0, 2, 1]
