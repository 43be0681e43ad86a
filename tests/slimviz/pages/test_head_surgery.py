"""Head surgery and the flip finder on the Playground: clicks, links, and studies of all kinds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pruning.compress.without_heads import without_heads
from pruning.measure.answers import probabilities
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import correct
from pruning.measure.network import Network
from pruning.slimbert import dense_from_bert
from pruning.study import Study, read_study
from pruning.variants import TEACHER
from slimviz.live import networks, surgery
from slimviz.widgets.answer import probability_text
from tests.factories.tiny_study import BUDGET, tiny_examples, write_probe, write_tiny_study

SLIM = f"slim-{BUDGET}"


@pytest.fixture(autouse=True)
def tiny_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for task in ("sst2", "mrpc", "stsb", "mnli"):
        write_probe(tmp_path / "probe", task)
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    caches = (networks._load_network, surgery._whole, surgery._operated, surgery._part, surgery._each_turned_over)
    for cache in caches:
        cache.clear()
    yield
    for cache in caches:
        cache.clear()


def said(page: AppTest) -> str:
    """Everything written on the page, escapes removed."""
    kinds = (page.markdown, page.caption, page.warning, page.info, page.error)
    return "\n".join(element.value for kind in kinds for element in kind).replace("\\", "")


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return page.run()


def boxes(page: AppTest) -> list[Any]:
    return [box for box in page.selectbox if box.label.startswith("Cut or restore a head of ")]


def in_url(page: AppTest, parameter: str) -> str:
    value = page.query_params[parameter]
    return value if isinstance(value, str) else value[0]


def operated(study: Study, variant: str, cut: list[tuple[int, int]]) -> Network:
    """A network without heads, made beside the page."""
    model = study.network(variant)
    model = dense_from_bert(model) if variant == TEACHER.name else model
    return Network(without_heads(model, cut), study.tokenizer(variant), study.document.config.max_length)


@pytest.mark.parametrize("task", ["sst2", "mnli", "stsb"])
def test_a_link_shows_both_networks_without_its_heads(
    open_page: Callable[..., AppTest], tiny_folder: Path, task: str
) -> None:
    page = open_page("play", tiny_folder, study=task, **{"cut": "1-2,2-1", "cut-slim": "1-1"})
    assert not page.exception
    assert not page.error
    study, examples, words = read_study(tiny_folder / task), tiny_examples(task, 24), said(page)
    assert "Cut: layer 1, head 2 and layer 2, head 1 (2 of 8)." in words
    asked = tuple(field.value for field in page.text_area)
    for variant, cut in ((TEACHER.name, [(0, 1), (1, 0)]), (SLIM, [(0, 0)])):
        network = operated(study, variant, cut)
        logits = predict_logits(network, examples)
        columns = [examples.texts, *([examples.pairs] if examples.pairs else [])]
        number = list(zip(*columns, strict=True)).index(asked)
        if task == "stsb":
            assert f"Now **{logits[number, 0]:.2f}**; with all heads **" in words
            assert "Scores moved by " in words
        else:
            label = study.task.labels[int(logits[number].argmax())]
            assert f"Now **{label}** ({probability_text(probabilities(logits)[number].max())}" in words
            whole = predict_logits(operated(study, variant, []), examples)
            right, before = (correct(study.task, values, examples.labels) for values in (logits, whole))
            changed = int((logits.argmax(-1) != whole.argmax(-1)).sum())
            assert f"{right}/24 right, with all heads {before}; Accuracy " in words
            assert f"{changed or 'No'} answer{'' if changed == 1 else 's'} changed." in words
    assert in_url(page, "cut") == "1-2,2-1"
    assert in_url(page, "cut-slim") == "1-1"


def test_heads_are_cut_and_restored(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="mnli")
    assert "cut" not in page.query_params
    assert said(page).count("heads are at work.") == 2
    assert "Now " not in said(page)
    assert "On the probe set" not in said(page)
    page = boxes(page)[0].select((1, 2)).run()
    assert in_url(page, "cut") == "2-3"
    assert "Cut: layer 2, head 3 (1 of 8)." in said(page)
    assert said(page).count("Now ") == 1
    assert boxes(page)[0].value is None
    page = boxes(page)[0].select((0, 0)).run()
    assert in_url(page, "cut") == "1-1,2-3"
    page = boxes(page)[1].select((0, 3)).run()
    assert in_url(page, "cut-slim") == "1-4"
    assert said(page).count("Now ") == said(page).count("On the probe set") == 2
    page = boxes(page)[0].select((1, 2)).run()
    assert in_url(page, "cut") == "1-1"
    page = press(page, "Restore all")
    assert in_url(page, "cut") == "none"
    assert said(page).count("Now ") == 1
    page = press(page, "Cut the 2 heads that slimming removed")
    assert in_url(page, "cut") == "1-3,2-2"
    assert not page.exception


def test_heads_that_are_not_there_are_one_line(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="mnli", **{"cut": "2-1,9-9", "cut-slim": "1-3"})
    assert not page.exception
    assert 'No head "9-9" in the teacher: expected layer-head' in said(page)
    assert f'No head "1-3" in the slim network ({BUDGET}%): expected layer-head' in said(page)
    assert in_url(page, "cut") == "2-1"
    assert in_url(page, "cut-slim") == "none"


def test_all_heads_of_all_layers_may_go(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    everything = ",".join(f"{layer}-{head}" for layer in (1, 2) for head in (1, 2, 3, 4))
    page = open_page("play", tiny_folder, study="sst2", **{"cut": everything, "cut-slim": everything})
    assert not page.exception
    assert said(page).count("8 of its 8 heads are cut.") == 2
    assert said(page).count("On the probe set") == 2


def test_an_answer_is_kept_while_the_page_is_drawn_again(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page("play", tiny_folder, study="sst2", cut="1-1")
    before = said(page)

    def refuse(*arguments: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("slimviz.widgets.surgery.predict", refuse)
    page.run()
    assert not page.exception
    assert said(page) == before


def test_one_network_alone_and_no_examples(
    open_page: Callable[..., AppTest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_tiny_study(tmp_path / "studies")
    shutil.rmtree(folder / "teacher")
    page = open_page("play", tmp_path / "studies", **{"cut": "1-1", "cut-slim": "1-2"})
    assert not page.exception
    assert said(page).count("Now ") == 1
    assert "On the probe set" in said(page)
    (tmp_path / "probe" / "sst2.jsonl").unlink()
    page = open_page("play", tmp_path / "studies", **{"cut-slim": "1-2"})
    page.text_area[0].set_value("the film is good")
    page = press(page, "Ask the network")
    assert not page.exception
    assert said(page).count("Now ") == 1
    assert "probe set" not in said(page)


def test_text_that_nobody_can_read_is_not_operated_on(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2", cut="1-1")
    page.text_area[0].set_value("🙂🙃🎉")
    page = press(page, "Ask both networks")
    assert not page.exception
    assert not boxes(page)
    assert "Now " not in said(page)


FIND = "Find examples that they answer differently"


def different(study: Study, task: str) -> list[int]:
    """Numbers, from 1, of the examples that both answer differently."""
    examples = tiny_examples(task, 24)
    first, second = (predict_logits(operated(study, name, []), examples).argmax(-1) for name in (TEACHER.name, SLIM))
    return [number + 1 for number in range(24) if first[number] != second[number]]


def test_flips_are_listed_and_a_head_is_tried(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    study, examples = read_study(tiny_folder / "mnli"), tiny_examples("mnli", 24)
    wanted = different(study, "mnli")
    page = open_page("play", tiny_folder, study="mnli")
    assert "flip" not in page.query_params
    page = press(page, FIND)
    assert not page.exception
    assert f"They answer {len(wanted)} of 24 examples of the probe set differently" in said(page)
    assert sorted(page.dataframe[0].value["Example"]) == wanted
    number = int(in_url(page, "flip"))
    assert number in wanted
    last = next(box for box in page.selectbox if box.label == "Example").options[-1]
    page = next(box for box in page.selectbox if box.label == "Example").select_index(len(wanted) - 1).run()
    number = int(in_url(page, "flip"))
    assert last.startswith(f"{number}: ")
    texts = (examples.texts[number - 1], examples.pairs[number - 1] if examples.pairs else "")
    for turn, network in (("teacher", "The teacher"), ("slim", "The slim network")):
        page = (
            next(group for group in page.button_group if group.label.startswith("The one head")).set_value(turn).run()
        )
        assert not page.exception
        sentence = next(value.value for value in page.markdown if value.value.startswith(f"**{network} says "))
        button = next(button for button in page.button if button.label.startswith("Try it above: "))
        assert button.label.removeprefix("Try it above: ") in sentence.replace("\\", "")
        found = " heads make it" in sentence or " heads makes it" in sentence
        tried = button.click().run()
        assert not tried.exception
        assert tuple(field.value for field in tried.text_area) == texts
        now = next(value.value for value in tried.markdown if value.value.startswith("Now "))
        now, before = (part.split("**")[1] for part in now.split("; with all heads "))
        assert (now != before) >= found  # what was found is what a copy without that head says
        cut = {"teacher": "cut", "slim": "cut-slim"}
        assert in_url(tried, cut[turn]) != "none"
        assert in_url(tried, next(name for key, name in cut.items() if key != turn)) == "none"
        page = tried
    page = press(page, "Close")
    assert not page.dataframe
    assert FIND in [button.label for button in page.button]


@pytest.mark.parametrize("task", ["sst2", "mrpc", "stsb"])
@pytest.mark.parametrize("turn", ["restored", "teacher", "slim"])
def test_flips_of_every_kind_of_task(
    open_page: Callable[..., AppTest], tiny_folder: Path, task: str, turn: str
) -> None:
    page = open_page("play", tiny_folder, study=task, flip="999", turn=turn)
    assert not page.exception
    assert not page.error
    words = said(page)
    if page.dataframe:
        assert 'Example "999" is not among these' in words
        assert in_url(page, "flip") == str(page.dataframe[0].value["Example"].iloc[0])
        start = {"restored": "**Without the ", "teacher": "**The teacher says ", "slim": "**The slim network says "}
        assert start[turn] in words
    else:
        assert "They give the same answer to all 24 examples" in words
    assert (task == "stsb") == ("furthest apart" in words)
