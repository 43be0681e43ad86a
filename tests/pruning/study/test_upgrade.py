"""Studies of schema 1 are converted in place, and every number stays what it was."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pruning.errors import StoreError
from pruning.study import read_study, verify
from pruning.study.document import encode
from pruning.study.upgrade import from_schema_1, upgrade_study
from tests.factories.schema_1 import as_schema_1
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study


def numbers(value: Any) -> list[str]:
    """All numbers of a document as they are written, sorted."""
    if isinstance(value, dict):
        return sorted(text for inner in value.values() for text in numbers(inner))
    if isinstance(value, list):
        return sorted(text for inner in value for text in numbers(inner))
    return [repr(value)] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A study as schema 1 wrote it."""
    folder = write_study(tmp_path, "mrpc", seed=3)
    data = as_schema_1(read_study(folder).document)
    data["provenance"] |= {"hardware": {"cpu": "an x86", "memory": "24 GB"}, "command": ["python", "-m", "pruning"]}
    data["provenance"]["seconds"]["cache"] = None
    data["backbone"]["name"] = data["config"]["backbone"] = "/home/someone/models/tiny-bert"
    (folder / "study.json").write_text(json.dumps(data))
    return folder


def test_a_study_is_converted_in_place(old: Path) -> None:
    before = json.loads((old / "study.json").read_text())
    others = {path: path.stat() for path in old.rglob("*") if path.is_file() and path.name != "study.json"}
    with pytest.raises(StoreError, match="schema 1, expected 2; python -m pruning upgrade"):
        read_study(old)
    assert upgrade_study(old) is True
    document = read_study(old).document
    (problem,) = verify(old)
    assert problem.startswith("slim-10/model.safetensors: holds 8 parameters")  # the made-up ones
    assert document.provenance.hardware == "an x86, 24 GB"
    assert document.provenance.command == "python -m pruning"
    assert document.backbone.name == document.config.backbone == "tiny-bert"
    assert {path: path.stat() for path in others} == others
    after = json.loads(json.dumps(as_schema_1(document)))
    for part in ("config", "selections", "results", "speed", "floor", "smallest_total_density", "files", "backbone"):
        assert numbers(after[part]) == numbers(before[part]), part
    assert [row["variant"] for row in after["results"]] == [row["variant"] for row in before["results"]]
    assert upgrade_study(old) is False
    assert [path.name for path in old.parent.iterdir()] == ["mrpc"]


def test_rows_of_another_seed_keep_it(old: Path) -> None:
    data = json.loads((old / "study.json").read_text())
    data["results"] += [row | {"seed": 7} for row in data["results"][1:]]
    variants = {str(row.variant): row.variant.seed for row in from_schema_1(data).results}
    assert variants["slim-10"] is None
    assert variants["slim-10-seed7"] == 7


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(schema=0),
        lambda data: data.pop("config"),
        lambda data: data["config"].update(colour=1),
        lambda data: data["results"][0].update(variant="small"),
        lambda data: data["results"][0].update(count=-1),
        lambda data: data["selections"]["10"].update(pieces=3),
        lambda data: data["floor"].clear(),
        lambda data: data.update(name="other"),
    ],
)
def test_what_cannot_be_converted_stays_as_it_was(old: Path, change: Any) -> None:
    edit(old, change)
    before = (old / "study.json").read_bytes()
    with pytest.raises(StoreError) as caught:
        upgrade_study(old)
    assert str(caught.value).isprintable()
    assert (old / "study.json").read_bytes() == before


def test_a_study_whose_files_are_damaged_stays_as_it_was(old: Path) -> None:
    before = (old / "study.json").read_bytes()
    (old / "masks.safetensors").write_bytes(b"")
    with pytest.raises(StoreError, match=r"masks\.safetensors: 0 bytes, expected"):
        upgrade_study(old)
    assert (old / "study.json").read_bytes() == before


def test_a_study_that_another_process_replaces_is_not_given_its_old_document(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is done while this one waits for its turn."""
    from pruning.study import write

    data = json.loads((old / "study.json").read_text())
    data["provenance"]["date"] = "2030-01-01"

    @contextmanager
    def locked(folder: Path) -> Iterator[bool]:
        (old / "study.json").write_bytes(encode(from_schema_1(data)))
        yield True

    monkeypatch.setattr(write, "locked", locked)
    assert upgrade_study(old) is False
    assert read_study(old).document.provenance.date == "2030-01-01"


def test_a_failure_while_writing_leaves_the_old_document(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (old / "study.json").read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"study\.json cannot be replaced: No space left on device"):
        upgrade_study(old)
    assert (old / "study.json").read_bytes() == before
    assert [path.name for path in old.parent.iterdir()] == ["mrpc"]
