"""``advise``: what fits, why the rest does not, and commands that work."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from pruning.cli.main import build_parser
from pruning.data.tasks import get_task
from pruning.record_files import write_record
from pruning.study import read_study
from tests.factories.profiles import made_profile
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
    monkeypatch.setattr("pruning.runtimes.stored.PROFILES", tmp_path / "no-profiles")


@pytest.fixture(scope="module")
def profile(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of SST-2: in int8, slim-10 takes 0.8 ms and loses two points, the teacher 3 ms."""
    path = tmp_path_factory.mktemp("profiles") / "sst2-slim-10.json"
    write_record(path, made_profile(read_study(folder / "sst2"), hardware="profiled processor"))
    return path


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


def test_a_profile_says_in_which_runtime_it_fits(profile: Path) -> None:
    assert "Nothing fits" in call("advise", "sst2", "--ms", 1).out
    printed = call("advise", "sst2", "--ms", 1, "--profile", profile)
    assert (printed.code, printed.err) == (0, "")
    lines = printed.out.splitlines()
    assert lines[2].startswith("    1. slim-10 in ONNX Runtime, int8")
    assert ", 0.8 ms, 3 MB, memory not measured" in lines[2]
    assert " slim-10 in torch " in printed.out
    assert " 2 ms, at most 1 asked\n" in printed.out
    assert "in the runtime of each row, on profiled processor, 2 threads. They hold for that machine" in printed.out
    command = lines[-1].removeprefix("  next: ")
    assert command.endswith("--variant slim-10 --format onnx --int8 --to sst2-slim-10-onnx-int8")
    options = build_parser().parse_args(shlex.split(command)[3:])
    assert (options.format, options.int8) == ("onnx", True)
    (task,) = call("advise", "sst2", "--ms", 1, "--profile", profile, "--json").json["tasks"]
    (best,) = task["fits"]
    assert (best["runtime"], best["ms"], best["threads"], best["hardware"]) == (
        "onnx-int8", 0.8, 2, "profiled processor"
    )  # fmt: skip
    assert (best["size_bytes"], best["memory_bytes"], task["next"]) == (3_000_000, None, [best["command"]])


def test_what_no_export_makes_is_said_beside_the_command(profile: Path, folder: Path, tmp_path: Path) -> None:
    study = read_study(folder / "sst2")
    found = {"teacher": {"torch": (11.0, 0.9, 1)}, "slim-10": {"torch": (2.0, 0.89, 1), "bfloat16": (0.9, 0.89, 1)}}
    write_record(tmp_path / "one.json", made_profile(study, found))
    lines = call("advise", "sst2", "--ms", 1, "--profile", tmp_path / "one.json").out.splitlines()
    assert lines[-2:] == [
        "  next: python -m pruning export sst2 --variant slim-10 --to sst2-slim-10",
        "  then: model.to(torch.bfloat16), once it is loaded",
    ]


def test_profiles_that_ship_are_used_where_none_is_named(profile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruning.runtimes.stored.PROFILES", profile.parent)
    assert "1. slim-10 in ONNX Runtime, int8" in call("advise", "sst2", "--ms", 1).out
    printed = call("advise", "cola", "--ms", 1)  # which it is not of: nothing to say
    assert (printed.err, "ONNX Runtime, int8" in printed.out.split("In ONNX")[0]) == ("", False)


def test_two_machines_are_two_rows(profile: Path, folder: Path, tmp_path: Path) -> None:
    study = read_study(folder / "sst2")
    write_record(tmp_path / "other.json", made_profile(study, hardware="second processor", threads=1))
    out = call("advise", "sst2", "--profile", profile, "--profile", tmp_path / "other.json").out
    for machine in ("profiled processor, 2 threads", "second processor, 1 thread"):
        assert f" slim-10 in ONNX Runtime, int8 on {machine} " in out
    assert "Those of two machines do not compare" in out


def test_a_profile_that_says_nothing_is_one_line_and_the_rest_goes_on(
    profile: Path, folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(profile.read_bytes()[:-100])
    printed = call("advise", "sst2", "--ms", 1, "--profile", broken, "--profile", profile)
    assert printed.code == 0
    (line,) = printed.err.splitlines()
    assert line.startswith(f"broken: {broken}: not a stored profile: ")
    assert "1. slim-10 in ONNX Runtime, int8" in printed.out
    printed = call("advise", "cola", "--profile", profile, "--json")
    assert printed.err.splitlines() == ["not used: the profile of sst2's slim-10 is of weights that no study here has"]
    assert printed.json == call("advise", "cola", "--json").json
    write_record(tmp_path / "unscored.json", made_profile(read_study(folder / "sst2"), is_scored=False))
    printed = call("advise", "sst2", "--profile", tmp_path / "unscored.json")
    assert printed.err.endswith("no scores on the study's own rows (--data): only torch's times are used\n")
    assert ", 2 ms, " in printed.out


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
