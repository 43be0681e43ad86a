"""Odd documents that are read all the same: every page shows them, or one line in their place, and the rest stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from streamlit.testing.v1 import AppTest

from pruning.data.tasks import get_task
from pruning.selection.budgets import BUDGET_KINDS
from pruning.study import read_study
from slimviz.frames import results
from tests.factories.study_document import edit, write_document
from tests.factories.synthetic_study import bert_shape, write_study

PAGES = ("", "tradeoffs", "advice", "study", "survivors", "heads", "anatomy", "play", "live")
HOSTILE = "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:1) :smile: $x$ \u202e {0} %s"
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small studies: two to make odd, and one to find unharmed beside them."""
    folder = tmp_path_factory.mktemp("small")
    for task, name in (("sst2", "sst2"), ("stsb", "stsb"), ("cola", "cola")):
        shape = bert_shape(get_task(task), layers=2, heads=2, head_size=16, ffn=64)
        write_study(folder, task, name=name, shape=shape, budgets=("50", "10"))
    return folder


def results_of(document: dict[str, Any], **values: Any) -> None:
    """Give every result these values."""
    for row in document["results"]:
        row |= values


def only_a_teacher(document: dict[str, Any]) -> None:
    document["selections"], document["speed"] = {}, []
    document["results"] = [row for row in document["results"] if row["variant"]["method"] == "teacher"]


def teacher_of_nothing(document: dict[str, Any]) -> None:
    results_of(document, retention=None, retention_above_floor=None, interval=None)
    document["results"][0] |= {"correct": 0, "metrics": {"accuracy": 0.0}}


def hostile(document: dict[str, Any]) -> None:
    document["task"] |= {"title": HOSTILE, "description": HOSTILE, "text": [HOSTILE], "label": "<b>"}
    document["provenance"] |= {
        "command": HOSTILE,
        "date": HOSTILE,
        "hardware": HOSTILE,
        "libraries": {HOSTILE: HOSTILE},
    }
    for selection in document["selections"].values():
        selection["criterion"] = HOSTILE
    for row in document["speed"]:
        row["device"] = HOSTILE


def huge_seed(document: dict[str, Any]) -> None:
    document["provenance"]["seed"] = document["config"]["seed"] = 2**32 - 1


ODD: dict[str, tuple[str, Change]] = {
    "only a teacher": ("sst2", only_a_teacher),
    "no speed": ("sst2", lambda document: document.update(speed=[])),
    "a teacher of metric 0": ("sst2", teacher_of_nothing),
    "no retention": ("stsb", lambda document: results_of(document, retention=None, retention_above_floor=None)),
    "no interval": ("sst2", lambda document: results_of(document, interval=None)),
    "an interval without ends": (
        "sst2",
        lambda document: [
            row["interval"].update(low=None, high=None) for row in document["results"] if row.get("interval")
        ],
    ),
    "a teacher at the floor": (
        "sst2",
        lambda document: document["floor"].update(accuracy=document["results"][0]["metrics"]["accuracy"]),
    ),
    "a floor below zero": ("sst2", lambda document: document["floor"].update(accuracy=-1.0)),
    "one example": ("sst2", lambda document: results_of(document, count=1, correct=1)),
    "long labels": ("sst2", lambda document: document["task"].update(labels=["word " * 400, "x" * 2000])),
    "a regression without a range": ("stsb", lambda document: document["task"].update(label_range=None)),
    "nothing measured of size": ("sst2", lambda document: results_of(document, size_bytes=None, flop_ratio=None)),
    "an unknown criterion": (
        "sst2",
        lambda document: [row.update(criterion="luck") for row in document["selections"].values()],
    ),
    "nothing smaller can be reached": ("sst2", lambda document: document.update(smallest_total_density=1.0)),
    "anything can be reached": ("sst2", lambda document: document.update(smallest_total_density=5e-324)),
    "equal densities": (
        "sst2",
        lambda document: [row.update(total_density=1e-300) for row in document["selections"].values()],
    ),
    "a huge seed": ("sst2", huge_seed),
    "hostile text": ("sst2", hostile),
}


def open_all(open_page: Callable[..., AppTest], folder: Path, study: str, **parameters: str) -> dict[str, AppTest]:
    """All pages at a study, none of them with a traceback; the intact study is on those that show several."""
    pages = {path: open_page(path, folder, study=study, **parameters) for path in PAGES}
    for path, page in pages.items():
        assert not page.exception, (path, [error.value for error in page.exception])
    assert any("CoLA" in element.proto.json for element in pages[""].get("bidi_component"))
    for path, page in pages.items():
        assert not path or any(
            "CoLA" in option for box in (*page.selectbox, *page.multiselect) for option in box.options
        )
        said = (*page.markdown, *page.caption, *page.error, *page.warning, *page.info)
        assert not any("<script>" in element.value.replace("\\<", "") for element in said)
    return pages


@pytest.mark.parametrize("name", ODD)
def test_odd_documents(open_page: Callable[..., AppTest], intact: Path, tmp_path: Path, name: str) -> None:
    task, change = ODD[name]
    for study in (task, "cola"):
        shutil.copytree(intact / study, tmp_path / study)
    edit(tmp_path / task, change)
    read_study(tmp_path / task)
    pages = open_all(open_page, tmp_path, task)
    refused = {path: len(page.error) for path, page in pages.items() if page.error}
    assert refused == ({"survivors": 1} if name in ("an unknown criterion", "hostile text") else {})


def rename_budget(folder: Path, old: str, kind: str, value: float) -> str:
    """Have a stored budget be of another kind; returns its name."""
    new = f"{BUDGET_KINDS[kind].word}-{100 * value:g}"
    document = json.loads((folder / "study.json").read_text())
    masks = load_file(folder / "masks.safetensors")
    renamed = {new + key.removeprefix(old) if key.startswith(f"{old}/") else key: value for key, value in masks.items()}
    save_file(renamed, folder / "masks.safetensors")
    selections = document["selections"]
    document["selections"] = {new if key == old else key: selection for key, selection in selections.items()}
    document["selections"][new]["budget"] = {"kind": kind, "value": value}
    for row in document["results"]:
        if row["variant"].get("budget") == old:
            row["variant"]["budget"] = row["selection"] = new
    document["latency"] = {"heads": [0, 2], "attention_ms": [0, 1], "ffn": [0, 64], "ffn_ms": [0, 1], "other_ms": 1}
    write_document(folder, document)
    return new


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("flop_ratio", "60% of FLOPs"),
        ("encoder_density", "60% of encoder parameters"),
        ("latency_ratio", "60% of latency"),
    ],
)
def test_budgets_of_every_kind(
    open_page: Callable[..., AppTest], intact: Path, tmp_path: Path, kind: str, title: str
) -> None:
    for study in ("sst2", "cola"):
        shutil.copytree(intact / study, tmp_path / study)
    budget = rename_budget(tmp_path / "sst2", "50", kind, 0.6)
    pages = open_all(open_page, tmp_path, "sst2")
    assert not any(page.error for page in pages.values())
    assert list(pages[""].table[0].value["Budget"]) == [title, "10%"]
    page = pages["survivors"]
    stored = next(control for control in page.segmented_control if control.label == "Stored budgets")
    stored.set_value(budget).run()
    assert not page.exception
    assert page.query_params["density"] in (budget, [budget])
    assert page.select_slider[0].value == budget
    assert any(f"the stored masks at {title}" in element.value for element in page.markdown)
    for path in ("", "heads"):
        page = open_page(path, tmp_path, budget=budget)
        assert not page.exception
        control = next(control for control in page.segmented_control if control.label.startswith("Budget"))
        assert title in [option.content for option in control.proto.options]


def test_layers_pruned_to_nothing(open_page: Callable[..., AppTest], tmp_path: Path) -> None:
    shape = bert_shape(get_task("sst2"), layers=6, heads=2, head_size=16, ffn=64)
    write_study(tmp_path, "cola", shape=shape, budgets=("10",))
    folder = write_study(tmp_path, "sst2", shape=shape, budgets=("10", "1.05", "1.037"), shipped=("1.037",))
    selections = read_study(folder).selections
    assert any(layer.heads == layer.ffn == 0 for layer in selections["1.05"].network.layers)
    assert all(layer.heads == layer.ffn == 0 for layer in selections["1.037"].network.layers)
    for budget in ("1.05", "1.037"):
        pages = open_all(open_page, tmp_path, "sst2", budget=budget)
        assert not any(page.error for page in pages.values())
        assert any("No unit is left" in said.value for said in pages["survivors"].markdown) == (budget == "1.037")


def test_what_fails_on_one_study_is_one_line_in_its_place(
    open_page: Callable[..., AppTest], intact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimviz.widgets.guard.ODD_VALUES", (ValueError, KeyError))
    speed = results.main_speed

    def odd(study: Any, *arguments: Any) -> Any:
        if study.name == "sst2":
            raise ValueError("a value\nlike <b>no</b> other " + 1000 * "x")
        return speed(study, *arguments)

    monkeypatch.setattr(results, "main_speed", odd)
    page = open_page("", intact)
    assert not page.exception
    (line,) = {error.value for error in page.error}
    assert line.replace("\\", "").startswith("SST-2 cannot be shown: ValueError: a value like <b>no</b> other xxx")
    assert "\n" not in line
    assert len(line) < 400
    assert [metric.label for metric in page.metric].count("Total density") == 1
    heads = open_page("heads", intact)
    assert not heads.exception
    assert len(heads.error) == 1
    assert len(heads.get("vega_lite_chart")) > 3
