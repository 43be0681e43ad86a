"""Whatever is wrong with a stored study is found and said in one line, and a study that verify accepts trips nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pruning.data.tasks import get_task
from pruning.errors import StoreError
from pruning.study import BrokenStudy, Study, list_studies, read_study, verify
from tests.factories.study_document import edit as rewrite
from tests.factories.study_document import file_entry


def reseal(folder: Path, path: str) -> None:
    """Make the stored checksum fit a changed file, so that only its content is wrong."""
    sealed = file_entry(folder / path)
    rewrite(folder, lambda data: data["files"].update({path: sealed}))


def change_arrays(folder: Path, path: str, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    arrays = {key: array.copy() for key, array in load_file(folder / path).items()}
    change(arrays)
    save_file(arrays, folder / path)
    reseal(folder, path)


def first_result(data: dict[str, Any]) -> dict[str, Any]:
    return data["results"][0]


def slim_result(data: dict[str, Any]) -> dict[str, Any]:
    return data["results"][-1]


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda folder: rewrite(folder, change)


def factors_edit(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    return lambda folder: change_arrays(folder, "factors.safetensors", change)


def masks_edit(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    return lambda folder: change_arrays(folder, "masks.safetensors", change)


def put(path: str, content: bytes, sealed: bool = True) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        if sealed:
            reseal(folder, path)

    return fault


def flip_a_bit(path: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        content = bytearray((folder / path).read_bytes())
        content[-1] ^= 1
        (folder / path).write_bytes(content)

    return fault


def list_file(path: str) -> Callable[[Path], None]:
    return edit(lambda data: data["files"].update({path: {"sha256": "0" * 64, "bytes": 1}}))


def link(path: str, target: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).unlink()
        (folder.parent / "elsewhere").write_bytes(content)
        (folder / path).symlink_to(folder.parent / target)

    return fault


# What is wrong, how it is planted, what must be said, and whether the study can still be read.
FAULTS: list[tuple[str, Callable[[Path], Any], str, bool]] = [
    ("no document", lambda f: (f / "study.json").unlink(), "study.json is missing", False),
    ("empty document", put("study.json", b"", sealed=False), "not JSON", False),
    ("cut document", lambda f: os.truncate(f / "study.json", 500), "not JSON", False),
    ("no text", put("study.json", b"\xff\xfe\x00", sealed=False), "not JSON", False),
    ("an array", put("study.json", b"[]", sealed=False), "expected object, got array", False),
    ("deep", put("study.json", b'{"schema": 2, "name": ' + b"[" * 100_000, sealed=False), "study.json: ", False),
    ("NaN", edit(lambda d: d["floor"].update(accuracy=float("nan"))), "not JSON", False),
    ("huge", put("study.json", b'{"schema": 1e999}', sealed=False), "number out of range", False),
    ("digits", put("study.json", b'{"schema": ' + b"1" * 5000 + b"}", sealed=False), "study.json: ", False),
    ("huge document", lambda f: os.truncate(f / "study.json", 17 * 2**20), "expected at most", False),
    (
        "milliseconds without a table",
        edit(
            lambda d: d["selections"].update(
                {"latency-60": d["selections"]["60"] | {"budget": {"kind": "latency_ratio", "value": 0.6}}}
            )
        ),
        "counted in milliseconds, but there is no latency table",
        False,
    ),
    ("future schema", edit(lambda d: d.update(schema=3)), "schema 3, expected 2", False),
    ("old schema", edit(lambda d: d.update(schema=1)), "schema 1, expected 2; python -m pruning upgrade", False),
    ("no schema", edit(lambda d: d.pop("schema")), "schema None, expected 2", False),
    ("key missing", edit(lambda d: d.pop("backbone")), "missing required field backbone", False),
    (
        "inner key",
        edit(lambda d: slim_result(d).pop("count")),
        "results[4]: object missing required field count",
        False,
    ),
    (
        "wrong type",
        edit(lambda d: first_result(d).update(correct="90")),
        "correct: expected int | null, got str",
        False,
    ),
    ("true is no number", edit(lambda d: first_result(d).update(count=True)), "count: expected int, got bool", False),
    ("sha256", edit(lambda d: d["backbone"].update(sha256="abc")), "backbone.sha256: expected str matching", False),
    ("task", edit(lambda d: d["task"].update(metrics=["speed"])), "study.json: task: ", False),
    ("labels", edit(lambda d: d.update(task=get_task("mnli").to_json())), "the task has 3 label(s)", False),
    ("name", edit(lambda d: d.update(name="cola")), "name is 'cola', expected that of its folder, 'sst2'", False),
    (
        "shape",
        edit(lambda d: d["backbone"]["shape"].update(layers=10**9)),
        "backbone.shape.layers: expected int <= 1000",
        False,
    ),
    (
        "variant",
        edit(lambda d: slim_result(d)["variant"].update(method="Small")),
        "variant.method: expected str matching",
        False,
    ),
    (
        "unselected",
        edit(lambda d: slim_result(d)["variant"].update(budget="3")),
        "results slim-3 on validation: no selection '3'",
        False,
    ),
    ("twice", edit(lambda d: d["results"].append(first_result(d))), "a second result for teacher", False),
    (
        "percent",
        edit(lambda d: d["selections"].update({"x": d["selections"]["60"]})),
        "key in selections: expected str matching",
        False,
    ),
    # Values that pages and commands once tripped over, while verify found nothing wrong (faults 5 and 6).
    ("metric null", edit(lambda d: first_result(d)["metrics"].update(accuracy=None)), "metrics[...]: expected", False),
    ("metric gone", edit(lambda d: first_result(d)["metrics"].clear()), "metric 'accuracy' is missing", False),
    ("floor outside", edit(lambda d: d["floor"].update(accuracy=1.5)), "floor[...]: expected float <= 1", False),
    ("no floor", edit(lambda d: d["floor"].clear()), "floor: metric 'accuracy' is missing", False),
    ("negative count", edit(lambda d: first_result(d).update(count=-1)), "count: expected int >= 1", False),
    ("more correct than there are", edit(lambda d: slim_result(d).update(correct=873)), "correct 873 of 872", False),
    ("none correct", edit(lambda d: slim_result(d).update(correct=None)), "correct None of 872", False),
    ("rows", edit(lambda d: d["provenance"]["data"]["validation"].update(rows="many")), "validation.rows: exp", False),
    ("nothing smaller", edit(lambda d: d.update(smallest_total_density=0)), "smallest_total_density: expected", False),
    ("negative", edit(lambda d: d.update(smallest_total_density=-1)), "smallest_total_density: expected", False),
    ("budget's key", edit(lambda d: d["selections"]["60"]["budget"].update(colour=1)), "unknown field colour", False),
    ("settings", edit(lambda d: d["selections"]["60"]["settings"].update(positions="8")), "settings.positions", False),
    ("setting", edit(lambda d: d["selections"]["60"]["settings"].update(colour=1)), "unknown field colour", False),
    ("label range", edit(lambda d: d["task"].update(label_range=[0, 0])), "label range 0 to 0", False),
    ("no settings", edit(lambda d: d.update(config={})), "config: object missing required field seed", False),
    ("max_length", edit(lambda d: d["config"].update(max_length="many")), "config.max_length: expected int", False),
    ("seed", edit(lambda d: d["config"].update(seed=-1)), "config.seed: expected int >= 0", False),
    ("seeds", edit(lambda d: d["config"].update(seed=1)), "provenance.seed is 0, config.seed 1", False),
    ("extra key", edit(lambda d: d.update(colour=1)), "unknown field colour", False),
    ("extra width", edit(lambda d: d["backbone"]["shape"].update(depth=1)), "unknown field 'depth'", False),
    ("key", edit(lambda d: d["selections"].update({"7": d["selections"]["60"]})), "its budget is called 60", False),
    ("wide", edit(lambda d: d["selections"]["60"]["network"].update(hidden=9)), "does not fit into the", False),
    ("backbone's path", edit(lambda d: d["backbone"].update(name="/home/me/bert")), "no path", False),
    (
        "speed of nobody",
        edit(lambda d: d["speed"][0].update(variant={"method": "slim", "budget": "7"})),
        "slim-7",
        False,
    ),
    ("no results", edit(lambda d: d.update(results=[], speed=[])), "expected at least the teacher's", False),
    ("code", put("slim-37.5/config.json", b'{"auto_map": {}}'), "names code to run (auto_map)", True),
    ("parent path", list_file("../sst2.json"), "expected a plain relative path", False),
    ("absolute path", list_file("/etc/hosts.json"), "expected a plain relative path", False),
    ("windows path", list_file("C:\\x.json"), "expected a plain relative path", False),
    ("dotted path", list_file("teacher/./x.json"), "expected a plain relative path", False),
    ("hidden path", list_file("teacher/.x.json"), "expected a plain relative path", False),
    ("pickle", list_file("teacher/model.bin"), "does not belong in a study", False),
    ("link", link("masks.safetensors", "elsewhere"), "masks.safetensors: is a link", False),
    ("cut factors", lambda f: os.truncate(f / "factors.safetensors", 300), "300 bytes, expected", False),
    ("no masks", lambda f: (f / "masks.safetensors").unlink(), "masks.safetensors: missing", False),
    ("unlisted core", edit(lambda d: d["files"].pop("history.jsonl")), "'history.jsonl' is missing", False),
    ("cut weights", lambda f: os.truncate(f / "slim-37.5/model.safetensors", 90), "90 bytes, expected", False),
    ("no weights", lambda f: (f / "slim-37.5/model.safetensors").unlink(), "model.safetensors: missing", True),
    ("stray file", put("weights.pkl", b"x", sealed=False), "weights.pkl: not listed", True),
    ("stray folder", put("more/notes.txt", b"x", sealed=False), "more/notes.txt: not listed", True),
    ("flipped bit", flip_a_bit("factors.safetensors"), "factors.safetensors: its checksum", True),
    ("flipped weight", flip_a_bit("slim-37.5/model.safetensors"), "model.safetensors: its checksum", True),
    ("no tensors", put("factors.safetensors", b"x" * 99), "factors.safetensors: not a safetensors file", True),
    ("no weights file", put("slim-37.5/model.safetensors", b"{}"), "not a safetensors file", True),
    ("config", put("slim-37.5/config.json", b"{"), "slim-37.5/config.json: not JSON", True),
    ("history", put("history.jsonl", b'{"stage": 1}\n'), "history.jsonl: a line is not an object with a stage", True),
    ("history JSON", put("history.jsonl", b"loss 0.5\n"), "history.jsonl: not JSON", True),
    (
        "factor shape",
        factors_edit(lambda a: a.update({"alpha/ffn_hidden": np.ones((2, 15), np.float32)})),
        "'alpha/ffn_hidden' is float32 (2, 15), expected float32 (2, 16)",
        True,
    ),
    (
        "factor type",
        factors_edit(lambda a: a.update({"alpha/hidden": np.ones(8)})),
        "'alpha/hidden' is float64 (8,), expected float32 (8,)",
        True,
    ),
    ("factor site", factors_edit(lambda a: a.update({"alpha/x": np.ones(8, np.float32)})), "names no site", True),
    ("infinite", factors_edit(lambda a: a["alpha/hidden"].fill(np.inf)), "holds values that are not finite", True),
    (
        "no factors",
        factors_edit(lambda a: [a.pop(k) for k in list(a) if k.startswith("alpha")]),
        "no criterion ranks units",
        True,
    ),
    ("no counts", factors_edit(lambda a: a.pop("pieces/counts")), "'pieces/counts' is missing", True),
    (
        "criterion",
        edit(lambda d: d["selections"]["60"].update(criterion="taylor")),
        "criterion 'taylor' of selections.60 is missing",
        True,
    ),
    (
        "mask shape",
        masks_edit(lambda a: a.update({"60/hidden": np.ones(9, np.uint8)})),
        "'60/hidden' is uint8 (9,), expected uint8 (8,)",
        True,
    ),
    ("mask values", masks_edit(lambda a: a["60/ffn_hidden"].fill(2)), "values other than 0 and 1", True),
    ("mask content", masks_edit(lambda a: a["60/ffn_hidden"].fill(0)), "gives another layers than selections.60", True),
    ("mask missing", masks_edit(lambda a: a.pop("60/ffn_input")), "'60/ffn_input' is missing", True),
    (
        "mask unknown",
        masks_edit(lambda a: a.update({"5/hidden": np.ones(8, np.uint8)})),
        "'5/hidden' is not known",
        True,
    ),
    ("pieces", masks_edit(lambda a: a["60/pieces"].fill(3)), "'60/pieces' is not a sorted list", True),
    (
        "pieces cut",
        masks_edit(lambda a: a.update({"60/pieces": a["60/pieces"][1:]})),
        "gives another vocabulary than selections.60",
        True,
    ),
    ("pooler", masks_edit(lambda a: a["60/pooler"].fill(1)), "gives another pooler than selections.60", True),
    (
        "count",
        edit(lambda d: slim_result(d)["parameters"].update(total=1)),
        "parameters.total 1, but its network has",
        True,
    ),
    (
        "teacher's count",
        edit(lambda d: first_result(d)["parameters"].update(encoder=7)),
        "results teacher on validation: parameters.encoder 7",
        True,
    ),
    ("density", edit(lambda d: slim_result(d).update(total_density=0.5)), "total_density 0.5, expected", True),
    ("retention", edit(lambda d: slim_result(d).update(retention=1.0)), "retention 1.0, expected 0.9569", True),
    (
        "above floor",
        edit(lambda d: slim_result(d).update(retention_above_floor=0.7)),
        "retention_above_floor 0.7, expected 0.9015",
        True,
    ),
    ("no retention", edit(lambda d: slim_result(d).update(retention=None)), "retention None, expected 0.9569", True),
    (
        "correct",
        edit(lambda d: slim_result(d).update(correct=82)),
        "accuracy 0.8658256880733946, but 82 of 872 correct",
        True,
    ),
    ("metric", edit(lambda d: slim_result(d).update(metrics={"f1": 1})), "metric 'accuracy' is missing", False),
    ("teacher gone", edit(lambda d: d["results"].pop(0)), "no teacher's result on the same split", False),
    ("not shipped", edit(lambda d: d["results"][2].update(shipped=True)), "said to be shipped", True),
    (
        "numel",
        lambda folder: change_arrays(
            folder, "slim-37.5/model.safetensors", lambda a: a.update({"more": np.ones(3, np.float16)})
        ),
        "slim-37.5/model.safetensors: holds",
        True,
    ),
]


@pytest.mark.parametrize(("plant", "said", "is_readable"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_every_fault_is_found(stored: Path, plant: Callable[[Path], Any], said: str, is_readable: bool) -> None:
    plant(stored)
    problems = verify(stored)
    assert any(said in problem for problem in problems), problems
    assert all("\n" not in problem and len(problem) <= 300 for problem in problems)
    listed = list_studies([stored.parent])
    assert len(listed) == 1
    assert isinstance(listed[0], Study if is_readable else BrokenStudy)
    if isinstance(listed[0], BrokenStudy):
        assert listed[0].name == "sst2"
        assert said in listed[0].reason
        with pytest.raises(StoreError):
            read_study(stored)


def test_verify_never_raises(tmp_path: Path) -> None:
    assert verify(tmp_path / "nothing") == ["no such folder"]
    assert "is not a study's name" in verify(tmp_path / "No Name")[0]
