"""The study folder survives crashes, full disks, collisions and damage.

Run as a script, this file is the writer that is killed or that finds the disk full.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pruning.bert.counts import count_flops
from pruning.bert.shapes import BertShape, Site
from pruning.data.tasks import get_task
from pruning.errors import StoreError
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select
from pruning.selection.settings import SelectionSettings
from pruning.study import atomic
from pruning.study.document import network_from_json, network_to_json, parameters_to_json
from pruning.study.write import (
    BrokenStudy,
    Study,
    check_destination,
    free_name,
    list_studies,
    load_factors,
    load_history,
    load_masks,
    load_pieces,
    load_pooler,
    read_study,
    study_folders,
    verify,
    write_study,
)

SHAPE = BertShape(
    layers=2, heads=2, head_size=4, hidden=8, ffn=16, vocabulary=40, positions=32, token_types=2, pooler=8, labels=2
)
SETTINGS = SelectionSettings(positions=16, minimum_hidden=4)
ROOT = Path(__file__).resolve().parents[2]


def made_factors(seed: int = 0) -> ImportanceFactors:
    generator = np.random.default_rng(seed)
    alpha = {site: generator.random(SHAPE.units(site), dtype=np.float32) for site in Site}
    gradient = {Site.ATTENTION_CONTEXT: generator.random((SHAPE.layers, SHAPE.heads), dtype=np.float32)}
    pieces = TablePieces(
        counts=generator.integers(0, 100, SHAPE.vocabulary, dtype=np.int32),
        protected=np.arange(SHAPE.vocabulary) < 6,
        spectrum=np.geomspace(8, 1, SHAPE.hidden).astype(np.float32),
    )
    pooler = generator.random(SHAPE.pooler, dtype=np.float32)
    return ImportanceFactors(SHAPE, {"alpha": alpha, "head_gradient": gradient}, pieces, pooler)


def made_selections(factors: ImportanceFactors) -> dict[str, Selection]:
    return {name: select(factors, Budget("total_density", float(name) / 100), SETTINGS) for name in ("60", "37.5")}


def result(variant: str, selection: Selection | None, **values: Any) -> dict[str, Any]:
    dense = SHAPE.network()
    shape = dense if selection is None else selection.shape
    parameters, whole = parameters_to_json(shape), parameters_to_json(dense)
    correct = 90 if selection is None else 81
    return {
        "variant": variant,
        "split": "validation",
        "seed": 0,
        "count": 100,
        "correct": correct,
        "metrics": {"accuracy": correct / 100},
        "retention": correct / 90,
        "retention_above_floor": (correct - 51) / (90 - 51),
        "parameters": parameters,
        "total_density": parameters["total"] / whole["total"],
        "encoder_density": parameters["encoder"] / whole["encoder"],
        "index_buffers": 0,
        "index_bytes": 0,
        "flops": {"length": 32, "total": count_flops(shape, 32)},
        "flop_ratio": count_flops(shape, 32) / count_flops(dense, 32),
        "size_bytes": None,
        "tokens_per_text": 20.5,
        "truncated_share": 0.0,
        "peak_memory_bytes": None,
        "shipped": variant in ("teacher", "slim-37.5"),
    } | values


def made_study(folder: Path, date: str = "2025-01-01T00:00:00+00:00", seed: int = 0, **config: Any) -> dict[str, Any]:
    """All arguments of `write_study`, with weights to copy in `folder`."""
    factors = made_factors(seed)
    selections = made_selections(factors)
    adapter, slim = folder / "weights" / "adapter", folder / "weights" / "slim"
    for path in (adapter, slim):
        path.mkdir(parents=True, exist_ok=True)
    (adapter / "adapter_config.json").write_text('{"r": 4}')
    save_file({"lora": np.ones((4, 8), dtype=np.float16)}, adapter / "adapter_model.safetensors")
    (slim / "config.json").write_text('{"model_type": "slimbert"}')
    (slim / "README.md").write_text("# A slim network\n")
    weights = {"all": np.ones(selections["37.5"].parameters.total, dtype=np.float16), "index": np.arange(5)}
    save_file(weights, slim / "model.safetensors")
    results = [result("teacher", None)]
    for percent, selection in selections.items():
        results += [result(f"{kind}-{percent}", selection) for kind in ("one-shot", "slim")]
    interval = {"metric": "accuracy", "difference": -0.09, "low": -0.15, "high": -0.03, "resamples": 2000}
    results[-1]["interval"] = interval
    data = {
        "task": get_task("sst2").to_json(),
        "backbone": {"name": "tiny", "source": "made up", "sha256": "a" * 64, "shape": asdict(SHAPE)},
        "config": {"epochs": 2, "sites": tuple(Site), "rate": np.float32(0.5)} | config,
        "provenance": {
            "command": "python -m pruning run --task sst2",
            "commit": None,
            "seed": seed,
            "date": date,
            "hardware": "a processor",
            "threads": 2,
            "libraries": {"torch": "2.13.0"},
            "data": {
                "source": "made up",
                "train": {"rows": 1000, "sha256": "b" * 64},
                "validation": {"rows": 100, "sha256": "c" * 64},
            },
            "seconds": {"teacher": 1.5},
        },
        "floor": {"accuracy": 0.51},
        "selections": {
            percent: {
                "budget": {"kind": "total_density", "value": float(percent) / 100},
                "criterion": "alpha",
                "settings": SETTINGS.to_json(),
                "total_density": selection.total_density,
                "encoder_density": selection.encoder_density,
                "parameters": parameters_to_json(selection.shape),
                "rank": selection.rank,
                "pieces": len(selection.pieces),
                "positions": selection.positions,
                "hidden": selection.shape.hidden,
                "pooler": selection.shape.pooler,
                "network": network_to_json(selection.shape),
            }
            for percent, selection in selections.items()
        },
        "smallest_total_density": 0.1,
        "results": results,
        "speed": [
            {
                "variant": "teacher",
                "device": "cpu",
                "threads": 2,
                "batch": 1,
                "length": length,
                "median_ms": 2.0,
                "p95_ms": 3.0,
                "speedup": 1.0,
                "runs": 30,
            }
            for length in (32, "real")
        ],
    }
    history = [{"stage": "teacher", "step": 1, "epoch": 0.5, "loss": 0.7}, {"stage": "slim", "loss": float("nan")}]
    return {
        "data": data,
        "factors": factors,
        "masks": selections,
        "history": history,
        "adapter_folder": adapter,
        "slim_folders": {"37.5": slim},
    }


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    return tmp_path / "studies"


@pytest.fixture
def stored(tmp_path: Path, studies: Path) -> Path:
    """A stored study's folder."""
    return write_study(studies / "sst2", **made_study(tmp_path)).folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change `study.json`."""
    data = json.loads((folder / "study.json").read_text())
    change(data)
    (folder / "study.json").write_text(json.dumps(data))


def reseal(folder: Path, path: str) -> None:
    """Make the stored checksum fit a changed file, so that only its content is wrong."""
    content = (folder / path).read_bytes()
    sealed = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    rewrite(folder, lambda data: data["files"].update({path: sealed}))


def change_arrays(folder: Path, path: str, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    arrays = {key: array.copy() for key, array in load_file(folder / path).items()}
    change(arrays)
    save_file(arrays, folder / path)
    reseal(folder, path)


# Round trip


def test_what_was_written_is_read_back(tmp_path: Path, stored: Path) -> None:
    parts = made_study(tmp_path)
    study = read_study(stored)
    assert (study.name, study.task, study.shape) == ("sst2", get_task("sst2"), SHAPE)
    assert study.variants == ("teacher", "one-shot-60", "slim-60", "one-shot-37.5", "slim-37.5")
    assert study.data["config"]["rate"] == 0.5
    assert study.results == parts["data"]["results"]
    assert verify(stored) == []
    factors, expected = load_factors(study), parts["factors"]
    for criterion, sites in expected.by_criterion.items():
        for site, values in sites.items():
            np.testing.assert_array_equal(factors.by_criterion[criterion][site], values)
    np.testing.assert_array_equal(factors.pieces.counts, expected.pieces.counts)
    np.testing.assert_array_equal(factors.pieces.protected, expected.pieces.protected)
    assert factors.pieces.protected.dtype == bool
    for percent, selection in parts["masks"].items():
        assert load_masks(study, percent).equals(selection.masks)
        np.testing.assert_array_equal(load_pieces(study, percent), selection.pieces)
        np.testing.assert_array_equal(load_pooler(study, percent), selection.pooler)
        assert network_from_json(study.selections[percent]["network"]) == selection.shape
        again = select(factors, Budget("total_density", float(percent) / 100), SETTINGS)
        assert again.masks.equals(load_masks(study, percent))
    history = load_history(study)
    assert history[0]["loss"] == 0.7
    assert history[1]["loss"] is None  # what is not a number is stored as null


def test_weights_are_found_where_all_their_files_are_here(stored: Path) -> None:
    study = read_study(stored)
    assert study.weights("teacher") == stored / "teacher"
    assert study.weights("slim-37.5") == stored / "slim-37.5"
    assert study.weights("slim-60") is None
    assert study.weights("one-shot-37.5") is None
    assert study.weights("../sst2/teacher") is None
    shutil.rmtree(stored / "teacher")
    assert read_study(stored).weights("teacher") is None
    assert verify(stored) == ["teacher/adapter_config.json: missing", "teacher/adapter_model.safetensors: missing"]


def test_unknown_budget_is_named(stored: Path) -> None:
    with pytest.raises(StoreError, match=r"no masks at 5%, expected one of 60, 37\.5"):
        load_masks(read_study(stored), "5")


def test_store_needs_no_torch() -> None:
    code = "import sys, pruning.study.write; print({'torch', 'transformers', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_study_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundled = ROOT / "assets" / "studies"
    monkeypatch.delenv("SLIMVIZ_STUDIES", raising=False)
    assert study_folders() == [bundled]
    monkeypatch.setenv("SLIMVIZ_STUDIES", os.pathsep.join([str(tmp_path), "", str(bundled), str(tmp_path)]))
    assert study_folders() == [bundled, tmp_path]


# Names, identity, places


@pytest.mark.parametrize("name", ["SST2", ".hidden", "-x", "a b", "ümlaut", "a" * 101, "a\nb", "_x"])
def test_names_that_are_refused(studies: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a study's name"):
        write_study(studies / name, **made_study(tmp_path))
    assert not studies.exists()


def change(parts: dict[str, Any], *path: str, value: Any) -> dict[str, Any]:
    inner = parts["data"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return parts


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("provenance", "seed"), 1, "seed 0 there, 1 here"),
        (("backbone", "sha256"), "d" * 64, "backbone"),
        (("config", "epochs"), 3, "config.epochs 2 there, 3 here"),
        (("config", "new"), True, "config.new null there, true here"),
        (("task",), get_task("cola").to_json(), 'task "sst2" there, "cola" here'),
        (("provenance", "data", "train", "sha256"), "e" * 64, "training data"),
    ],
)
def test_another_study_is_never_overwritten(
    tmp_path: Path, stored: Path, path: tuple[str, ...], value: Any, said: str
) -> None:
    before = (stored / "study.json").read_bytes()
    other = change(made_study(tmp_path), *path, value=value)
    for attempt in (
        lambda: write_study(stored, **other, overwrite=True),
        lambda: check_destination(stored, other["data"], overwrite=True),
    ):
        with pytest.raises(StoreError) as caught:
            attempt()
        assert said in str(caught.value)
        assert "such as 'sst2-2'" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert (stored / "study.json").read_bytes() == before
    assert verify(stored) == []


def test_the_same_study_is_replaced_only_when_asked(tmp_path: Path, stored: Path) -> None:
    newer = made_study(tmp_path, date="2026-01-01T00:00:00+00:00")
    with pytest.raises(StoreError, match="stored there already"):
        write_study(stored, **newer)
    check_destination(stored, newer["data"], overwrite=True)
    study = write_study(stored, **newer, overwrite=True)
    assert study.data["provenance"]["date"].startswith("2026")
    assert [path.name for path in stored.parent.iterdir()] == ["sst2"]


def test_a_replacement_keeps_what_others_put_there(tmp_path: Path, stored: Path) -> None:
    (stored / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"holds 'notes\.txt', no part of the study"):
        write_study(stored, **made_study(tmp_path), overwrite=True)
    assert (stored / "notes.txt").read_text() == "mine"


def test_what_is_no_study_is_never_overwritten(tmp_path: Path, studies: Path) -> None:
    parts = made_study(tmp_path)
    (studies / "home").mkdir(parents=True)
    (studies / "home" / "thesis.txt").write_text("years of work")
    (studies / "file").write_text("x")
    (studies / "link").symlink_to(studies / "home", target_is_directory=True)
    for name in ("home", "file", "link"):
        with pytest.raises(StoreError, match="is in the way"):
            write_study(studies / name, **parts, overwrite=True)
    assert (studies / "home" / "thesis.txt").read_text() == "years of work"
    (studies / "empty").mkdir()
    assert write_study(studies / "empty", **parts).name == "empty"


def test_free_name(stored: Path) -> None:
    assert free_name(stored.parent, "cola") == "cola"
    assert free_name(stored.parent, "sst2") == "sst2-2"
    (stored.parent / "sst2-2").mkdir()
    (stored.parent / f".sst2-3.{atomic.MOVED_ASIDE}-12").mkdir()
    assert free_name(stored.parent, "sst2") == "sst2-4"


def test_an_unwritable_folder_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = made_study(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # rather than folder modes, which do not stop root
    for attempt in (
        lambda: write_study(tmp_path / "locked" / "sst2", **parts),
        lambda: check_destination(tmp_path / "locked" / "sst2", parts["data"]),
    ):
        with pytest.raises(StoreError, match="Permission denied"):
            attempt()


def test_a_file_where_the_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    parts = made_study(tmp_path)
    with pytest.raises(StoreError, match=r"sst2: a study cannot be stored there: (Not a directory|File exists)"):
        check_destination(tmp_path / "file" / "sst2", parts["data"])
    with pytest.raises(StoreError, match="cannot be stored"):
        write_study(tmp_path / "file" / "sst2", **parts)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda parts: (parts["adapter_folder"] / "optimizer.pt").write_bytes(b"x"), "optimizer.pt"),
        (lambda parts: (parts["adapter_folder"] / ".secret.json").write_text("{}"), ".secret.json"),
        (lambda parts: parts.update(slim_folders={"60": parts["adapter_folder"] / "none"}), "holds no files"),
        (lambda parts: parts.update(slim_folders={}), "said to be shipped, but no weights are listed"),
        (lambda parts: parts["slim_folders"].update({"12": parts["adapter_folder"]}), "belongs to no variant"),
        (lambda parts: parts["data"].update(floor=1), "expected object"),
        (lambda parts: parts["data"].pop("speed"), "'speed' is missing"),
        (lambda parts: parts["data"]["results"][0].update(total_density=float("nan")), "expected integer or number"),
        (lambda parts: parts["data"].update(extra=object()), "expected plain values"),
        (lambda parts: parts["masks"].pop("60"), "'60/hidden' is missing"),
    ],
)
def test_an_invalid_study_is_not_stored(
    tmp_path: Path, stored: Path, spoil: Callable[[dict[str, Any]], Any], said: str
) -> None:
    parts = made_study(tmp_path)
    spoil(parts)
    with pytest.raises(StoreError) as caught:
        write_study(stored, **parts, overwrite=True)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path.name for path in stored.parent.iterdir()] == ["sst2"]
    assert verify(stored) == []


# Damage


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
    ("an array", put("study.json", b"[]", sealed=False), "found list, expected an object", False),
    ("deep", put("study.json", b"[" * 100_000, sealed=False), "not JSON", False),
    ("NaN", edit(lambda d: d["floor"].update(accuracy=float("nan"))), "expected a finite number", False),
    ("huge", put("study.json", b'{"schema": 1e999}', sealed=False), "expected a finite number", False),
    ("digits", put("study.json", b'{"schema": ' + b"1" * 50 + b"}", sealed=False), "50 digits", False),
    ("huge document", lambda f: os.truncate(f / "study.json", 17 * 2**20), "expected at most", False),
    ("future schema", edit(lambda d: d.update(schema=2)), "schema is 2, expected 1", False),
    ("no schema", edit(lambda d: d.pop("schema")), "schema is None", False),
    ("key missing", edit(lambda d: d.pop("backbone")), "key 'backbone' is missing", False),
    ("inner key", edit(lambda d: slim_result(d).pop("count")), "results[4]: key 'count' is missing", False),
    ("wrong type", edit(lambda d: first_result(d).update(correct="90")), "found '90', expected integer", False),
    ("true is no number", edit(lambda d: first_result(d).update(count=True)), "found True, expected integer", False),
    ("sha256", edit(lambda d: d["backbone"].update(sha256="abc")), "64 hexadecimal digits", False),
    ("task", edit(lambda d: d["task"].update(metrics=["speed"])), "study.json.task", False),
    ("labels", edit(lambda d: d.update(task=get_task("mnli").to_json())), "the task has 3 label(s)", False),
    ("name", edit(lambda d: d.update(name="cola")), "name is 'cola', expected that of its folder, 'sst2'", False),
    ("shape", edit(lambda d: d["backbone"]["shape"].update(layers=10**9)), "expected a sensible width", False),
    ("variant", edit(lambda d: slim_result(d).update(variant="small")), "expected teacher, one-shot-N", False),
    ("unselected", edit(lambda d: slim_result(d).update(variant="slim-3")), "has no selection '3'", False),
    ("twice", edit(lambda d: d["results"].append(first_result(d))), "a second result for teacher", False),
    ("percent", edit(lambda d: d["selections"].update({"x": d["selections"]["60"]})), "expected a percentage", False),
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
    ("width", edit(lambda d: d["selections"]["60"].update(pieces=3)), "selections.60.pieces: 3, but its network", True),
    ("retention", edit(lambda d: slim_result(d).update(retention=1.0)), "retention 1.0, expected 0.9000", True),
    (
        "above floor",
        edit(lambda d: slim_result(d).update(retention_above_floor=0.9)),
        "retention_above_floor 0.9, expected 0.7692",
        True,
    ),
    ("no retention", edit(lambda d: slim_result(d).update(retention=None)), "retention None, expected 0.9000", True),
    ("correct", edit(lambda d: slim_result(d).update(correct=82)), "accuracy 0.81, but 82 of 100 correct", True),
    ("metric", edit(lambda d: slim_result(d).update(metrics={"f1": 1})), "metric 'accuracy' is missing", True),
    ("teacher gone", edit(lambda d: d["results"].pop(0)), "no teacher's result on the same split and seed", True),
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


@pytest.mark.parametrize("path", ["factors.safetensors", "masks.safetensors", "history.jsonl"])
def test_damage_is_noticed_where_a_file_is_read(stored: Path, path: str) -> None:
    study = read_study(stored)
    flip_a_bit(path)(stored)
    load: Callable[[], Any] = {
        "factors.safetensors": lambda: load_factors(study),
        "masks.safetensors": lambda: load_masks(study, "60"),
        "history.jsonl": lambda: load_history(study),
    }[path]
    with pytest.raises(StoreError, match=f"{path} is not the file that was stored"):
        load()
    (stored / path).unlink()
    with pytest.raises(StoreError, match=f"{path} is missing"):
        load()


def test_a_broken_study_leaves_the_others_listed(tmp_path: Path, stored: Path) -> None:
    for name in ("cola", "rte"):
        write_study(stored.parent / name, **made_study(tmp_path))
    (stored.parent / "cola" / "study.json").write_text("{")
    (stored.parent / "readme.txt").write_text("no study")
    (stored.parent / "unrelated").mkdir()
    listed = list_studies([stored.parent, tmp_path / "nowhere", stored])
    assert [(type(entry).__name__, entry.name) for entry in listed] == [
        ("BrokenStudy", "cola"),
        ("Study", "rte"),
        ("Study", "sst2"),
        ("BrokenStudy", "nowhere"),
        ("Study", "sst2"),
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_pipe_is_not_waited_for(stored: Path) -> None:
    (stored / "study.json").unlink()
    os.mkfifo(stored / "study.json")
    (broken,) = list_studies([stored.parent])
    assert isinstance(broken, BrokenStudy)
    assert "is no plain file" in broken.reason


def test_verify_never_raises(tmp_path: Path) -> None:
    assert verify(tmp_path / "nothing") == ["no such folder"]
    assert "is not a study's name" in verify(tmp_path / "No Name")[0]


# Interrupted and failing writes


def test_a_replacement_that_was_cut_short_is_readable_and_put_right(tmp_path: Path, stored: Path) -> None:
    aside = stored.rename(stored.parent / f".sst2.{atomic.MOVED_ASIDE}-00000000000000000001")
    (half := stored.parent / f".sst2.{atomic.IN_WORK}-00000000000000000002").mkdir()
    (study,) = list_studies([stored.parent])
    assert isinstance(study, Study)
    assert study.name == "sst2"
    assert load_factors(study).shape == SHAPE
    assert verify(stored) == []
    with pytest.raises(StoreError, match="stored there already"):
        write_study(stored, **made_study(tmp_path))
    assert stored.is_dir()
    assert not aside.exists()
    assert not half.exists()


def test_hidden_folders_of_a_study_with_a_longer_name_are_left_alone(tmp_path: Path, stored: Path) -> None:
    other = stored.parent / f".sst2.{atomic.IN_WORK}-x.{atomic.IN_WORK}-12"
    other.mkdir()
    write_study(stored, **made_study(tmp_path), overwrite=True)
    assert other.is_dir()


CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.fsync")


class Fault:
    """Strike at the n-th change to the disk: kill the process, or fail as a full disk does (once, or from then on)."""

    def __init__(self, strike: int, kind: str) -> None:
        self.strike, self.kind, self.seen = strike, kind, 0
        os.fsync = self.on_fsync
        sys.addaudithook(self.on_event)

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not is_write and event not in CHANGES:
            return
        self.seen += 1
        if self.seen == self.strike and self.kind == "kill":
            os._exit(9)
        is_growth = is_write or event in ("os.mkdir", "os.fsync")
        if (self.kind == "fail" and self.seen == self.strike) or (
            self.kind == "full" and self.seen >= self.strike and is_growth
        ):
            raise OSError(errno.ENOSPC, "No space left on device")

    def on_fsync(self, handle: int) -> None:
        if self.kind == "kill" and self.seen + 1 == self.strike and os.fstat(handle).st_size > 1:
            with suppress(OSError):  # a folder cannot be cut
                os.ftruncate(handle, os.fstat(handle).st_size // 2)  # what had not reached the disk is gone
        self.on_event("os.fsync", ("", handle))


def strike_everywhere(scratch: Path, kind: str, is_replacement: bool) -> None:
    """Write a study once per change that writing makes to the disk, striking there; print a line each."""
    os.fsync = lambda handle: None  # the power stays on here, and a busy disk takes its time
    template = scratch / "template" / "sst2"
    write_study(template, **made_study(scratch))
    newer = made_study(scratch, date="2026-01-01T00:00:00+00:00")
    strike = 0
    while True:
        strike += 1
        parent = scratch / f"{kind}-{strike}"
        parent.mkdir()
        if is_replacement:
            shutil.copytree(template, parent / "sst2")
        child = os.fork()
        if child == 0:
            fault = Fault(strike, kind)
            try:
                write_study(parent / "sst2", **newer, overwrite=True)
                os._exit(0 if fault.seen < strike else 3)
            except StoreError as error:
                os._exit(2 if "\n" not in str(error) else 4)
            except BaseException:
                os._exit(5)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        listed = list_studies([parent])
        dates = [s.data["provenance"]["date"][:4] if isinstance(s, Study) else s.reason for s in listed]
        problems = verify(parent / "sst2") if listed else []
        left = sorted(path.name for path in parent.iterdir() if path.name != "sst2")
        again = write_study(parent / "sst2", **newer, overwrite=True)
        report = {
            "code": code,
            "dates": dates,
            "problems": problems,
            "left": left,
            "again": again.data["provenance"]["date"][:4],
            "left_again": sorted(path.name for path in parent.iterdir() if path.name != "sst2"),
        }
        print(json.dumps(report), flush=True)
        shutil.rmtree(parent)
        if code == 0:
            return


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("kind", "is_replacement"),
    [("kill", True), ("kill", False), ("fail", True), ("full", True)],
    ids=["kill a replacement", "kill a new one", "fail once", "disk full"],
)
def test_struck_at_any_moment_the_old_study_or_the_new_one_is_there(
    tmp_path: Path, kind: str, is_replacement: bool
) -> None:
    command = [sys.executable, __file__, str(tmp_path), kind, str(int(is_replacement))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) > 20
    allowed = [["2025"], ["2026"]] if is_replacement else [[], ["2026"]]
    for report in reports:
        assert report["code"] in ((9, 0) if kind == "kill" else (2, 3, 0)), report
        assert report["dates"] in allowed, report
        assert report["problems"] == [], report
        assert (report["again"], report["left_again"]) == ("2026", []), report
        # A writer that lived says truly whether it stored the study (2: it did not), and tidies up.
        if report["code"] != 9:
            assert report["dates"] == (allowed[0] if report["code"] == 2 else ["2026"]), report
        if kind == "full" and report["code"] == 2:
            assert report["left"] == [], report
    assert {tuple(report["dates"]) for report in reports} == {tuple(dates) for dates in allowed}
    if kind == "kill":
        left = {name.partition("-")[0] for report in reports for name in report["left"]}
        assert left == ({".sst2.partial", ".sst2.replaced"} if is_replacement else {".sst2.partial"})


if __name__ == "__main__":
    strike_everywhere(Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
