"""``profile``: every runtime's rows of a stored network; what cannot be timed is one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pruning.data import load_probe
from pruning.data.tasks import Task, get_task
from pruning.record_files import write_record
from pruning.runtimes import onnx_runtime, profile, torch_bfloat16
from pruning.runtimes.stored import read_profile
from pruning.study import read_study
from tests.factories.damage import json_edit
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, write_tiny_study
from tests.pruning.cli.commands import call, refused

SLIM = f"slim-{BUDGET}"
QUICK = ("--batches", "2,1", "--lengths", "6", "--threads", "1", "--seconds", "1")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_study(tmp_path_factory.mktemp("studies"), "sst2")


@pytest.fixture(autouse=True)
def few_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to see that there are some."""
    blocks = profile.Blocks
    monkeypatch.setattr(profile.Blocks, "most", 2)
    monkeypatch.setattr(profile, "in_blocks", lambda calls, _, real=profile.in_blocks: real(calls, blocks(2, 1)))


def test_tables_of_one_network(study: Path) -> None:
    names = "torch,bfloat16,onnx,onnx-int8"
    printed = call("profile", study, *QUICK, "--runtimes", names)
    assert printed.code == 0, printed.err
    made_up, real = printed.out.split("\n\nReal texts (probe set sst2), 1 thread:\n\n")
    assert made_up.startswith("Texts of 6 tokens, 1 thread:\n\n|  | batch 2 | batch 1 |\n| --- | ---: | ---: |\n")
    assert real.startswith("|  | batch 2 | batch 1 | answers as in torch |\n")
    here = ["torch", *(["torch, bfloat16"] if torch_bfloat16.instructions() else [])]
    here += [] if onnx_runtime.FLOAT32.missing() else ["ONNX Runtime", "ONNX Runtime, int8"]
    expected = [f"{network}, {runtime}" for network in ("teacher", SLIM) for runtime in here]
    for table in (made_up.split("\n\n")[1], real):
        assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == [
            *expected, "best small against best dense"
        ]  # fmt: skip
    assert f"\n| {SLIM}, torch | " in real
    assert "bfloat16 by " in printed.err


def test_in_json(study: Path) -> None:
    printed = call("profile", study, "--variant", SLIM, *QUICK, "--runtimes", "torch", "--json")
    assert printed.code == 0, printed.err
    found = printed.json
    assert (found["study"], found["variant"], found["texts"], found["missing"]) == ("sst2", SLIM, "probe set sst2", {})
    assert len(found["rows"]) == 2 * 2 * 2
    for row in found["rows"]:
        assert row["speedup"]["low"] <= row["speedup"]["times"] <= row["speedup"]["high"]
        assert row["turns"] == 2
    probe = load_probe(get_task("sst2"), "validation")
    assert [(one["network"], one["texts"], one["fidelity"]["agreement"]) for one in found["alike"]] == [
        (network, len(probe), 1.0) for network in ("teacher", SLIM)
    ]
    assert len(found["best"]) == 4


def test_all_of_it_is_stored(study: Path, tmp_path: Path) -> None:
    runtimes = ["torch"] if onnx_runtime.IN_INT8.missing() else ["torch", "onnx-int8"]
    output = tmp_path / "new" / "profile.json"
    typed = ("profile", study, *QUICK, "--runtimes", ",".join(runtimes), "--output", output)
    printed = call(*typed)
    assert printed.code == 0, printed.err
    assert printed.out.startswith("Texts of 6 tokens, 1 thread:\n")
    assert printed.err.splitlines()[-1] == f"{output}: written"
    made, document = read_profile(output), read_study(study).document
    weights = {path: document.files[path].sha256 for path in ("teacher/model.safetensors", f"{SLIM}/model.safetensors")}
    assert made.weights == {"backbone": document.backbone.sha256, **weights}
    assert (made.study, made.task, made.variant) == ("sst2", "sst2", SLIM)
    assert made.command.endswith(f"--runtimes {','.join(runtimes)} --output {output}")
    assert made.date.endswith("+00:00")
    assert {"torch", "numpy"} <= made.libraries.keys()
    assert ("onnxruntime" in made.libraries) is ("onnx-int8" in runtimes)
    assert made.profile.scores is None
    assert {(row.network, row.runtime) for row in made.profile.rows} == {
        (network, runtime) for network in ("teacher", SLIM) for runtime in runtimes
    }
    sizes = {(size.network, size.runtime): size.bytes for size in made.sizes}
    for result in document.results:
        if result.shipped:
            assert sizes[result.variant.name, "torch"] == result.size_bytes
    again = call(*typed, "--data", "probe", "--json")
    assert again.code == 0, again.err
    made, probe = read_profile(output), load_probe(get_task("sst2"), "validation")
    assert made.profile.texts_sha256 == probe.sha256
    assert {score.count for score in made.profile.scores or ()} == {len(probe)}
    assert {"study", "variant", "commit", "hardware", "bfloat16", "libraries", "rows", "best", "alike", "texts"} <= (
        again.json.keys()
    )
    assert [one["runtime"] for one in again.json["scores"]] == 2 * runtimes
    assert len(again.json["sizes"]) == len(sizes)
    assert [file.name for file in output.parent.iterdir()] == ["profile.json"]


def test_what_is_no_profile_is_not_overwritten(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def began(*arguments: object) -> None:
        raise AssertionError("timing began")

    monkeypatch.setattr("pruning.cli.profile.profile", began)
    notes = tmp_path / "notes.json"
    for content in ("my notes", '{"schema": 1, "study": "sst2"}'):
        notes.write_text(content)
        said = refused("profile", study, *QUICK, "--output", notes)
        assert said.startswith(f"{notes}: not a stored profile: ")
        assert notes.read_text() == content
    said = refused("profile", study, *QUICK, "--output", tmp_path)
    assert said == f"{tmp_path}: Is a directory, expected a stored profile"
    assert refused("profile", study, *QUICK, "--output", notes / "new.json").endswith("that can be written")
    write_record(tmp_path / "other.json", read_study(study).document.results[0])  # a record, and none of these
    assert "not a stored profile" in refused("profile", study, *QUICK, "--output", tmp_path / "other.json")


def test_labels_that_are_not_there_are_not_asked(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Task, "is_labelled", property(lambda _: False))
    said = refused("profile", study, *QUICK, "--data", "probe")
    assert said == "profile: sst2 has no labels to score by, expected no --data"


def test_what_is_missing_is_one_line(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    printed = call("profile", study, *QUICK, "--runtimes", "torch,onnx", "--json")
    assert printed.code == 0
    (line,) = [line for line in printed.err.splitlines() if line.startswith("without")]
    assert line.endswith("format onnx: onnx is missing, expected pip install -r requirements-onnx.txt")
    assert printed.json["missing"].keys() == {"onnx"}
    assert {row["runtime"] for row in printed.json["rows"]} == {"torch"}


def test_a_task_of_ones_own_is_timed_on_texts_of_another(tmp_path: Path) -> None:
    study = write_tiny_study(tmp_path / "studies", "sst2")
    json_edit("study.json", task={**json.loads((study / "study.json").read_text())["task"], "name": "own"})(study)
    printed = call("profile", study, *QUICK, "--runtimes", "torch", "--json")
    assert (printed.code, printed.json["texts"]) == (0, "texts of probe set sst2")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--variant", "slim-7"), f"study sst2: no weights of 'slim-7' are stored, expected one of teacher, {SLIM}"),
        (("--variant", f"one-shot-{BUDGET}"), f"study sst2: no weights of 'one-shot-{BUDGET}' are stored, expected"),
        (("--lengths", f"6,{MAX_LENGTH + 1}"), f"profile: texts of {MAX_LENGTH + 1} tokens, expected at most"),
        (("--threads", "0"), "profile: argument --threads: '0': expected whole numbers from 1 to 1024"),
        (("--batches", "1,,8"), "profile: argument --batches: '1,,8': expected whole numbers from 1 to 1024"),
        (("--lengths", "16;32"), "profile: argument --lengths: '16;32': expected whole numbers from 1 to 1024"),
        (("--batches", "9999999999"), "profile: argument --batches: '9999999999': expected whole numbers"),
        (("--lengths", ""), "profile: argument --lengths: '': expected whole numbers from 1 to 1024"),
        (("--runtimes", "torch,tvm"), "profile: argument --runtimes: 'torch,tvm': expected some of torch, compiled, "),
        (("--runtimes", ","), "profile: argument --runtimes: ',': expected some of torch, compiled, "),
        (("--seconds", "0"), "profile: argument --seconds: '0': expected a whole number from 1 on"),
    ],
)
def test_what_cannot_be_timed(study: Path, typed: tuple[str, ...], said: str) -> None:
    assert refused("profile", study, *typed).startswith(said)


def test_a_study_without_small_networks(tmp_path: Path) -> None:
    study = write_tiny_study(tmp_path / "studies", "rte")
    for file in (study / SLIM).iterdir():
        file.unlink()
    assert refused("profile", study).startswith("study rte: ")
