"""``advise``: what fits, why the rest does not, and commands that work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pruning.cli.main import build_parser
from pruning.data.tasks import get_task
from tests.factories.study_document import edit
from tests.factories.synthetic_study import bert_shape, write_study
from tests.pruning.cli.commands import call, refused


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parent = tmp_path_factory.mktemp("studies")
    for task in ("sst2", "cola"):
        shape = bert_shape(get_task(task), layers=2, heads=2, head_size=16, ffn=64)
        write_study(parent, task, shape=shape, budgets=("50", "10"))

    def measured(document: dict) -> None:
        sizes = {None: 40_000_000, "50": 20_000_000, "10": 4_000_000}
        for row in document["results"]:
            size = sizes[row["variant"].get("budget")]
            row |= {"size_bytes": size, "peak_memory_bytes": 3 * size}

    edit(parent / "sst2", measured)
    return parent


@pytest.fixture(autouse=True)
def only_these(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruning.study.read.BUNDLED", tmp_path / "nothing-bundled")
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(folder))


def test_what_fits_and_what_does_not(folder: Path) -> None:
    printed = call("advise", "sst2", "--mb", 10, "--memory-mb", 50)
    assert (printed.code, printed.err) == (0, "")
    lines = printed.out.splitlines()
    assert lines[0] == "SST-2, Accuracy on 872 texts"
    assert lines[2].lstrip().startswith("1. slim-10  0.8")
    assert ", 4 MB, memory 12 MB" in lines[2]
    assert "teacher  40 MB, at most 10 asked" in printed.out
    assert "on made-up processor, 2 threads. They hold for that machine" in printed.out
    assert lines[-1] == "  next: python -m pruning export sst2 --variant slim-10 --to sst2-slim-10"


def test_json_has_all_of_it(folder: Path) -> None:
    printed = call("advise", folder / "sst2", "--mb", 10, "--json", "--texts", 200, "--labels")
    (task,) = printed.json["tasks"]
    assert [option["variant"] for option in task["fits"]] == ["slim-10"]
    assert [option["variant"] for option in task["does_not_fit"]] == ["teacher", "slim-50"]
    assert task["does_not_fit"][0]["reasons"][0]["text"] == "40 MB, at most 10 asked"
    best = task["fits"][0]
    assert {"score", "interval", "ms", "threads", "hardware", "runtime", "size_bytes", "memory_bytes"} <= best.keys()
    assert (best["threads"], best["runtime"], best["hardware"]) == (2, "torch", "made-up processor")
    assert best["ms"] > 0
    assert task["next"] == [best["command"]]
    assert shlex.split(best["command"])[4] == str(folder / "sst2")
    assert printed.json["limits"]["mb"] == 10
    assert "--label label" in printed.json["own"]["command"]


def test_all_studies_are_looked_at_where_none_is_named() -> None:
    printed = call("advise", "--json")
    assert [task["task"] for task in printed.json["tasks"]] == ["CoLA", "SST-2"]
    assert all(task["fits"] for task in printed.json["tasks"])


def test_nothing_fits(folder: Path) -> None:
    printed = call("advise", "sst2", "--ms", 0.001)
    assert printed.code == 0
    assert "Nothing fits. Nearest: slim-10 (" in printed.out
    assert printed.out.splitlines()[-1].endswith(
        "export sst2 --variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8"
    )
    assert "nothing is promised" in printed.out
    assert "ms not measured (batch 8, 32 tokens)" in call("advise", "sst2", "--ms", 5, "--batch", 8).out


def test_a_task_without_a_study_gets_the_command_that_makes_one() -> None:
    printed = call("advise", "rte")
    (said, command) = printed.out.splitlines()
    assert said.startswith("RTE: no study of it is here")
    assert build_parser().parse_args(shlex.split(command)[4:]).task == "rte"
    assert call("advise", "rte", "--json").json["without_study"] == {"rte": command.strip().removeprefix("next: ")}


def test_own_texts() -> None:
    printed = call("advise", "sst2", "--mb", 30, "--texts", 5000)
    assert "your own texts" in printed.out
    assert printed.out.splitlines()[-1].startswith("  next: python -m pruning run --teacher my-classifier ")
    assert "--preset one-shot" in printed.out
    assert "next: " not in call("advise", "rte", "--texts", 50).out.split("your own texts")[1]


def test_where_there_are_no_studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(tmp_path))
    printed = call("advise")
    assert (printed.code, printed.out) == (0, "")
    assert printed.err.startswith("no studies found; make one: python -m pruning run --task sst2")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--ms soon", "advise: argument --ms: 'soon': expected a number"),
        ("--ms 0", "limit ms 0.0: expected float > 0.0"),
        ("--mb nan", "limit mb nan: expected float > 0.0"),
        ("--memory-mb inf", "limit memory_mb inf: expected float"),
        ("--floor-points -1", "limit points -1.0: expected float >= 0.0"),
        ("--batch 0", "advise: argument --batch: '0': expected a whole number from 1 on"),
        ("--texts many", "advise: argument --texts: 'many': expected a whole number"),
        ("--labels", "advise: --labels without --texts"),
        ("nowhere", "study 'nowhere': no such folder"),
    ],
)
def test_bad_input_is_one_line(typed: str, said: str) -> None:
    assert refused("advise", *typed.split()).startswith(said)
