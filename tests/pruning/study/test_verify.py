"""Whatever is wrong with a stored study is found and said in one line, and a study that verify accepts trips nobody."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruning.data.tasks import get_task
from pruning.errors import StoreError
from pruning.study import BrokenStudy, Study, list_studies, read_study, verify
from tests.factories.damage import DELETE, Damage, array_edit, flip_a_bit, put, seal, value_edit
from tests.factories.study_document import edit

FIRST, LAST, CUT, SLIM = "results/0", "results/-1", "selections/60", "slim-37.5"
POINTS = [0.9, 0.8, 0.7, 0.6, 0.4]
BOTH = {"least_first": POINTS, "most_first": POINTS}
ABLATION = {
    "network": "teacher",
    "split": "validation",
    "rows": 872,
    "sha256": "0" * 64,
    "seed": 0,
    "precision": "float32",
    "metric": "accuracy",
    "floor": 0.5,
    "gated": [0, 1, 2, 3, 4],
    "curves": {"alpha": BOTH},
    "random": [POINTS],
}

# Values of the document that make a study unreadable: where, what, and what must be said.
VALUES: list[tuple[str, Any, str]] = [
    ("floor/accuracy", float("nan"), "not JSON"),
    ("schema", 3, "schema 3, expected 2"),
    ("schema", 1, "schema 1, expected 2; python -m pruning upgrade"),
    ("schema", DELETE, "schema None, expected 2"),
    ("backbone", DELETE, "missing required field backbone"),
    (f"{LAST}/count", DELETE, "results[4]: object missing required field count"),
    (f"{FIRST}/correct", "90", "correct: expected int | null, got str"),
    (f"{FIRST}/count", True, "count: expected int, got bool"),
    ("backbone/sha256", "abc", "backbone.sha256: expected str matching"),
    ("task/metrics", ["speed"], "study.json: task: "),
    ("task", get_task("mnli").to_json(), "the task has 3 label(s)"),
    ("name", "cola", "name is 'cola', expected that of its folder, 'sst2'"),
    ("backbone/shape/layers", 10**9, "backbone.shape.layers: expected int <= 1000"),
    (f"{LAST}/variant/method", "Small", "variant.method: expected str matching"),
    (f"{LAST}/variant/budget", "3", "results slim-3 on validation: no selection '3'"),
    (f"{LAST}/metrics", {"f1": 1}, "metric 'accuracy' is missing"),
    (FIRST, DELETE, "no teacher's result on the same split"),
    ("files/history.jsonl", DELETE, "'history.jsonl' is missing"),
    # Faults 5 and 6: pages and commands once tripped over these, while verify found nothing wrong.
    (f"{FIRST}/metrics/accuracy", None, "metrics[...]: expected"),
    (f"{FIRST}/metrics", {}, "metric 'accuracy' is missing"),
    ("floor/accuracy", 1.5, "floor[...]: expected float <= 1"),
    ("floor", {}, "floor: metric 'accuracy' is missing"),
    (f"{FIRST}/count", -1, "count: expected int >= 1"),
    (f"{LAST}/correct", 873, "correct 873 of 872"),
    (f"{LAST}/correct", None, "correct None of 872"),
    ("provenance/data/validation/rows", "many", "validation.rows: exp"),
    ("smallest_total_density", 0, "smallest_total_density: expected"),
    ("smallest_total_density", -1, "smallest_total_density: expected"),
    (f"{CUT}/budget/colour", 1, "unknown field colour"),
    (f"{CUT}/settings/positions", "8", "settings.positions"),
    (f"{CUT}/settings/colour", 1, "unknown field colour"),
    ("task/label_range", [0, 0], "label range 0 to 0"),
    ("config", {}, "config: object missing required field seed"),
    ("config/max_length", "many", "config.max_length: expected int"),
    ("config/seed", -1, "config.seed: expected int >= 0"),
    ("config/seed", 1, "provenance.seed is 0, config.seed 1"),
    ("config/method", "teacher", "config.method: variant 'teacher-10': expected a budget for every network but"),
    ("config/method", "one-shot", "config.method is 'one-shot', which names a step of every method"),
    ("config/method", "../kwon", "config.method: expected"),
    ("colour", 1, "unknown field colour"),
    ("backbone/shape/depth", 1, "unknown field 'depth'"),
    (f"{CUT}/network/hidden", 9, "does not fit into the"),
    ("backbone/name", "/home/me/bert", "no path"),
    ("speed/0/variant", {"method": "slim", "budget": "7"}, "slim-7"),
    ("results", [], "expected at least the teacher's"),
    ("ablations", [ABLATION | {"metric": "f1"}], "ablations teacher on validation: of f1, expected accuracy"),
    ("ablations", [ABLATION | {"split": "test"}], "ablations teacher on test: no such split, expected one of train"),
    ("ablations", [ABLATION | {"gated": [0, 2, 4]}], "heads gated off [0, 2, 4], expected [0, 1, 2, 3, 4]"),
    ("ablations", [ABLATION | {"curves": {}}], "no criterion's curves"),
    ("ablations", [ABLATION, ABLATION], "ablations: teacher on validation twice"),
    ("ablations", [ABLATION | {"random": [[0.9, 0.4]]}], "random: 2 points, expected 5"),
    ("ablations", [ABLATION | {"random": [[0.8, 0.8, 0.8, 0.8, 0.4]]}], "curves differ with all heads or with none"),
    ("ablations", [ABLATION | {"floor": 2}], "ablations[0].floor: expected float <= 1"),
]


def copied_selection(key: str, **changes: Any) -> Damage:
    return lambda folder: edit(folder, lambda d: d["selections"].update({key: d["selections"]["60"] | changes}))


def second_result(folder: Path) -> None:
    edit(folder, lambda data: data["results"].append(data["results"][0]))


def list_file(path: str) -> Damage:
    return lambda folder: edit(folder, lambda data: data["files"].update({path: {"sha256": "0" * 64, "bytes": 1}}))


def masks_are_a_link(folder: Path) -> None:
    (folder / "masks.safetensors").rename(folder.parent / "elsewhere")
    (folder / "masks.safetensors").symlink_to(folder.parent / "elsewhere")


def cut(path: str, length: int) -> Damage:
    return lambda folder: os.truncate(folder / path, length)


def remove(path: str) -> Damage:
    return lambda folder: (folder / path).unlink()


# Anything else that makes a study unreadable.
BROKEN: list[tuple[Damage, str]] = [
    (remove("study.json"), "study.json is missing"),
    (put("study.json", b""), "not JSON"),
    (cut("study.json", 500), "not JSON"),
    (put("study.json", b"\xff\xfe\x00"), "not JSON"),
    (put("study.json", b"[]"), "expected object, got array"),
    (put("study.json", b'{"schema": 2, "name": ' + b"[" * 100_000), "study.json: "),
    (put("study.json", b'{"schema": 1e999}'), "number out of range"),
    (put("study.json", b'{"schema": ' + b"1" * 5000 + b"}"), "study.json: "),
    (cut("study.json", 17 * 2**20), "expected at most"),
    (second_result, "a second result for teacher"),
    (copied_selection("x"), "key in selections: expected str matching"),
    (copied_selection("7"), "its budget is called 60"),
    (copied_selection("latency-60", budget={"kind": "latency_ratio", "value": 0.6}), "there is no latency table"),
    (list_file("../sst2.json"), "expected a plain relative path"),
    (list_file("/etc/hosts.json"), "expected a plain relative path"),
    (list_file("C:\\x.json"), "expected a plain relative path"),
    (list_file("teacher/./x.json"), "expected a plain relative path"),
    (list_file("teacher/.x.json"), "expected a plain relative path"),
    (list_file("teacher/model.bin"), "does not belong in a study"),
    (masks_are_a_link, "masks.safetensors: is a link"),
    (cut("factors.safetensors", 300), "300 bytes, expected"),
    (remove("masks.safetensors"), "masks.safetensors: missing"),
    (cut(f"{SLIM}/model.safetensors", 90), "90 bytes, expected"),
]

# What verify finds although the study can be read: a damaged file is said where it is needed.
READABLE: list[tuple[Damage, str]] = [
    (remove(f"{SLIM}/model.safetensors"), "model.safetensors: missing"),
    (put("weights.pkl", b"x"), "weights.pkl: not listed"),
    (put("more/notes.txt", b"x"), "more/notes.txt: not listed"),
    (flip_a_bit("factors.safetensors"), "factors.safetensors: its checksum"),
    (flip_a_bit(f"{SLIM}/model.safetensors"), "model.safetensors: its checksum"),
    (value_edit(f"{CUT}/criterion", "taylor"), "criterion 'taylor' of selections.60 is missing"),
    (value_edit(f"{LAST}/parameters/total", 1), "parameters.total 1, but its network has"),
    (value_edit(f"{FIRST}/parameters/encoder", 7), "results teacher on validation: parameters.encoder 7"),
    (value_edit(f"{LAST}/total_density", 0.5), "total_density 0.5, expected"),
    (value_edit(f"{LAST}/retention", 1.0), "retention 1.0, expected 0.9569"),
    (value_edit(f"{LAST}/retention", None), "retention None, expected 0.9569"),
    (value_edit(f"{LAST}/retention_above_floor", 0.7), "retention_above_floor 0.7, expected 0.9015"),
    (value_edit(f"{LAST}/correct", 82), "accuracy 0.8658256880733946, but 82 of 872 correct"),
    (value_edit("results/2/shipped", True), "said to be shipped"),
    (value_edit("ablations", [ABLATION | {"curves": {"taylor": BOTH}}]), "criterion 'taylor' of ablations teacher"),
]


def no_alpha(folder: Path) -> None:
    for site in ("hidden", "attention_input", "attention_context", "ffn_input", "ffn_hidden"):
        array_edit("factors.safetensors", f"alpha/{site}", DELETE)(folder)


def factor(key: str, value: Any) -> Damage:
    return array_edit("factors.safetensors", key, value)


def mask(key: str, value: Any) -> Damage:
    return array_edit("masks.safetensors", key, value)


# The same, with checksums that fit.
SEALED: list[tuple[Damage, str]] = [
    (put(f"{SLIM}/config.json", b'{"auto_map": {}}'), "names code to run (auto_map)"),
    (put(f"{SLIM}/config.json", b"{"), f"{SLIM}/config.json: not JSON"),
    (put("factors.safetensors", b"x" * 99), "factors.safetensors: not a safetensors file"),
    (put(f"{SLIM}/model.safetensors", b"{}"), "not a safetensors file"),
    (array_edit(f"{SLIM}/model.safetensors", "more", np.ones(3, np.float16)), f"{SLIM}/model.safetensors: holds"),
    (put("history.jsonl", b'{"stage": 1}\n'), "history.jsonl: a line is not an object with a stage"),
    (put("history.jsonl", b"loss 0.5\n"), "history.jsonl: not JSON"),
    (
        factor("alpha/ffn_hidden", np.ones((2, 15), np.float32)),
        "'alpha/ffn_hidden' is float32 (2, 15), expected float32 (2, 16)",
    ),
    (factor("alpha/hidden", np.ones(8)), "'alpha/hidden' is float64 (8,), expected float32 (8,)"),
    (factor("alpha/x", np.ones(8, np.float32)), "names no site"),
    (factor("alpha/hidden", np.inf), "holds values that are not finite"),
    (no_alpha, "no criterion ranks units"),
    (factor("pieces/counts", DELETE), "'pieces/counts' is missing"),
    (mask("60/hidden", np.ones(9, np.uint8)), "'60/hidden' is uint8 (9,), expected uint8 (8,)"),
    (mask("60/ffn_hidden", 2), "values other than 0 and 1"),
    (mask("60/ffn_hidden", 0), "gives another layers than selections.60"),
    (mask("60/ffn_input", DELETE), "'60/ffn_input' is missing"),
    (mask("5/hidden", np.ones(8, np.uint8)), "'5/hidden' is not known"),
    (mask("60/pieces", 3), "'60/pieces' is not a sorted list"),
    (mask("60/pieces", np.arange(7, dtype=np.int32)), "gives another vocabulary than selections.60"),
    (mask("60/pooler", 1), "gives another pooler than selections.60"),
]
CASES = [
    *((value_edit(path, value), said, False) for path, value, said in VALUES),
    *((damage, said, False) for damage, said in BROKEN),
    *((damage, said, True) for damage, said in READABLE),
    *((lambda folder, damage=damage: (damage(folder), seal(folder)), said, True) for damage, said in SEALED),
]


@pytest.mark.parametrize(("damage", "said", "is_readable"), CASES, ids=[said for _, said, _ in CASES])
def test_every_fault_is_found(stored: Path, damage: Damage, said: str, is_readable: bool) -> None:
    damage(stored)
    problems = verify(stored)
    assert any(said in problem for problem in problems), problems
    assert all("\n" not in problem and len(problem) <= 300 for problem in problems)
    (listed,) = list_studies([stored.parent])
    assert isinstance(listed, Study if is_readable else BrokenStudy)
    if isinstance(listed, BrokenStudy):
        assert listed.name == "sst2"
        assert said in listed.reason
        with pytest.raises(StoreError):
            read_study(stored)


def test_curves_that_agree_are_no_fault(stored: Path) -> None:
    value_edit("ablations", [ABLATION, ABLATION | {"split": "train", "random": []}])(stored)
    assert verify(stored) == []


def test_verify_never_raises(tmp_path: Path) -> None:
    assert verify(tmp_path / "nothing") == ["no such folder"]
    assert "is not a study's name" in verify(tmp_path / "No Name")[0]
