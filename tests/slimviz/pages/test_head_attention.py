"""What a head does: over the typed text on Playground, over the probe sentences on its card on Heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pruning.study import read_study
from slimviz.live.attention import looks
from slimviz.live.networks import _load_network, load_networks
from slimviz.widgets.head_habits import _habits
from tests.factories.tiny_study import BUDGET, write_probe
from tests.slimviz.pages.test_playground_page import ask, said


@pytest.fixture(autouse=True)
def tiny_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    write_probe(tmp_path / "probe", "sst2")
    monkeypatch.setattr("pruning.data.probe.PROBE_FOLDER", tmp_path / "probe")
    for cache in (_load_network, _habits):
        cache.clear()
    yield
    for cache in (_load_network, _habits):
        cache.clear()


def kept_and_cut(folder: Path) -> tuple[tuple[int, int], tuple[int, int]]:
    """A head of the slim network, and one that it has not."""
    (network,), _ = load_networks(read_study(folder), [read_study(folder).final(BUDGET)])
    kept = network.model.config.kept_heads
    heads = [(layer, head) for layer in range(2) for head in range(4)]
    there = [place for place in heads if place[1] in kept[place[0]]]
    gone = [place for place in heads if place not in there]
    return there[0], gone[0] if gone else (-1, -1)


def maps(page: AppTest) -> list[str]:
    return [chart.proto.alt for chart in page.get("vega_lite_chart") if "attention of each piece" in chart.proto.alt]


def test_a_pinned_head_shows_what_it_looks_at(
    open_page: Callable[..., AppTest], tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def watched(*arguments: Any) -> Any:
        asked.append(arguments[2:])
        return looks(*arguments)

    monkeypatch.setattr("slimviz.widgets.head_attention.looks", watched)
    (layer, head), cut = kept_and_cut(tiny_folder / "sst2")
    page = ask(open_page("play", tiny_folder, study="sst2", head=f"{layer + 1}-{head + 1}"), "<b>the film</b> is good")
    assert not page.exception
    title = f"layer {layer + 1}, head {head + 1}"
    assert f"What {title} looks at" in [element.value for element in page.subheader]
    assert [alt.partition(",")[0] for alt in maps(page)] == ["The teacher", f"The slim network ({BUDGET}%)"]
    assert said(page).count("of the pieces' attention goes to [CLS] and [SEP]; the strongest look at a piece is “") == 2
    count = len(asked)
    page.run()
    assert len(asked) == count
    if cut[0] >= 0:
        page = open_page("play", tiny_folder, study="sst2", head=f"{cut[0] + 1}-{cut[1] + 1}")
        assert len(maps(page)) == 1
        assert "did not survive here" in said(page)


def test_no_pinned_head_no_map(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("play", tiny_folder, study="sst2")
    assert not page.exception
    assert not maps(page)


def test_habits_are_on_the_card_of_a_head_once_asked_for(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    page = open_page("heads", tiny_folder, studies="sst2", budget=BUDGET, head="1-2")
    assert not page.exception
    (box,) = (box for box in page.selectbox if box.label == "Its habits, measured on the probe sentences of")
    assert box.value == "off"
    assert "Entropy" not in said(page)
    page = box.select("sst2").run()
    assert not page.exception
    table = page.table[-1].value
    columns = ["Attention to", "The teacher", f"The slim network ({BUDGET}%)", "If it looked evenly"]
    assert list(table.columns) == columns
    assert len(table) == 7
    assert sum(int(share.rstrip("%")) for share in table["The teacher"]) == pytest.approx(100, abs=4)  # rounded
    assert "Means over the pieces of 24 texts" in said(page)


def test_without_a_head_or_a_probe_set_nothing_is_offered(open_page: Callable[..., AppTest], tiny_folder: Path) -> None:
    for parameters in ({"studies": "sst2"}, {"studies": "mnli", "head": "1-2"}):
        page = open_page("heads", tiny_folder, budget=BUDGET, **parameters)
        assert not page.exception
        assert not [box for box in page.selectbox if box.label.startswith("Its habits")]
