"""Stored studies are read back as they were written, found by name, and never take each other with them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruning.data.tasks import get_task
from pruning.errors import StoreError
from pruning.selection.select import select
from pruning.study import (
    BrokenStudy,
    Study,
    find_study,
    list_studies,
    load_cut,
    load_factors,
    load_history,
    load_masks,
    read_study,
    study_folders,
    verify,
    write_study,
)
from pruning.variants import Variant
from tests.factories.damage import flip_a_bit
from tests.factories.study_contents import SHAPE, made_contents
from tests.factories.study_document import edit

ROOT = Path(__file__).resolve().parents[3]


def test_what_was_written_is_read_back(tmp_path: Path, stored: Path) -> None:
    contents, study = made_contents(tmp_path), read_study(stored)
    assert (study.name, study.task, study.shape) == ("sst2", get_task("sst2"), SHAPE)
    assert study.variants == ("teacher", "one-shot-60", "slim-60", "one-shot-37.5", "slim-37.5")
    assert study.document.replace(name="unnamed", files={}) == contents.document
    assert verify(stored) == []
    factors, expected = load_factors(study), contents.factors
    for criterion, sites in expected.by_criterion.items():
        for site, values in sites.items():
            np.testing.assert_array_equal(factors.by_criterion[criterion][site], values)
    np.testing.assert_array_equal(factors.pieces.counts, expected.pieces.counts)
    np.testing.assert_array_equal(factors.pieces.protected, expected.pieces.protected)
    assert factors.pieces.protected.dtype == bool
    for budget, selection in contents.selections.items():
        cut, record = load_cut(study, budget), study.selections[budget]
        assert cut.masks.equals(selection.masks)
        assert load_masks(study, budget).equals(selection.masks)
        np.testing.assert_array_equal(cut.pieces, selection.pieces)
        np.testing.assert_array_equal(cut.pooler, selection.pooler)
        assert record.network == selection.shape
        assert select(factors, record.budget, record.settings, record.criterion).masks.equals(cut.masks)
    history = load_history(study)
    assert history[0] == {"stage": "teacher", "step": 1, "epoch": 0.5, "loss": 0.7}
    assert history[1]["loss"] is None  # what is not a number is stored as null


def test_rows_are_found_by_variant_and_split(stored: Path) -> None:
    study = read_study(stored)
    row = study.result("slim-60")
    assert row is not None
    assert row is study.result(Variant("slim", "60"), "validation")
    assert study.result("slim-60", "elsewhere") is None
    assert study.variant("slim-60") == row.variant
    with pytest.raises(StoreError, match="no variant 'slim-5', expected one of teacher, "):
        study.variant("slim-5")
    with pytest.raises(StoreError, match=r"no masks at 5%, expected one of 60, 37\.5"):
        load_masks(study, "5")


def test_weights_are_found_where_all_their_files_are_here(stored: Path) -> None:
    study = read_study(stored)
    assert study.weights("teacher") == stored / "teacher"
    assert study.weights(Variant("slim", "37.5")) == stored / "slim-37.5"
    assert study.weights("slim-60") is None
    assert study.weights("../sst2/teacher") is None
    shutil.rmtree(stored / "teacher")
    assert read_study(stored).weights("teacher") is None
    assert verify(stored) == ["teacher/adapter_config.json: missing", "teacher/adapter_model.safetensors: missing"]


def test_study_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundled = ROOT / "assets" / "studies"
    monkeypatch.delenv("SLIMVIZ_STUDIES", raising=False)
    assert study_folders() == [bundled]
    monkeypatch.setenv("SLIMVIZ_STUDIES", os.pathsep.join([str(tmp_path), "", str(bundled), str(tmp_path)]))
    assert study_folders() == [bundled, tmp_path]


def test_a_study_is_found_by_name_or_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, studies: Path, stored: Path
) -> None:
    own = stored.rename(studies / "own")
    edit(own, lambda document: document.update(name="own"))
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(studies))
    monkeypatch.chdir(studies)
    assert find_study("own").folder == Path("own")
    monkeypatch.chdir(tmp_path)
    assert find_study("own").folder == own
    assert find_study(own).folder == own
    assert find_study("cola").task.name == "cola"  # shipped
    with pytest.raises(StoreError, match=r"study 'cota': not found, expected a folder or one of cola, .*own"):
        find_study("cota")
    with pytest.raises(StoreError, match="no such folder"):
        find_study(tmp_path / "none")


def test_a_study_is_found_from_within(monkeypatch: pytest.MonkeyPatch, stored: Path) -> None:
    monkeypatch.chdir(stored)
    assert read_study(".").name == find_study(".").name == "sst2"
    assert [study.name for study in list_studies(["."])] == ["sst2"]
    assert [study.name for study in list_studies([".."])] == ["sst2"]
    assert verify(".") == verify(stored)
    monkeypatch.chdir(stored / "teacher")
    assert read_study("..").name == "sst2"


def listed(*folders: Path) -> list[tuple[str, str]]:
    return [(type(entry).__name__, entry.name) for entry in list_studies(folders)]


def test_a_broken_study_leaves_the_others_listed(tmp_path: Path, stored: Path) -> None:
    for name in ("cola", "rte"):
        write_study(stored.parent / name, made_contents(tmp_path))
    (stored.parent / "cola" / "study.json").write_text("{")
    (stored.parent / "readme.txt").write_text("no study")
    (stored.parent / "unrelated").mkdir()
    own = [("BrokenStudy", "cola"), ("Study", "rte"), ("Study", "sst2")]
    assert listed(stored.parent, tmp_path / "nowhere", stored) == [*own, ("BrokenStudy", "nowhere"), ("Study", "sst2")]


def test_links_that_lead_nowhere_hide_no_study(stored: Path) -> None:
    """Fault 9: one dangling link anywhere must not keep the others from being seen."""
    (stored.parent / "gone").symlink_to(stored.parent / "nothing")
    (stored.parent / "round").symlink_to(stored.parent / "round")
    (stored.parent / "half").mkdir()
    (stored.parent / "half" / "study.json").symlink_to("nothing.json")
    (stored / "extra.json").symlink_to("nothing.json")
    assert listed(stored.parent) == [("BrokenStudy", "half"), ("Study", "sst2")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_pipe_is_not_waited_for(stored: Path) -> None:
    (stored / "study.json").unlink()
    os.mkfifo(stored / "study.json")
    (broken,) = list_studies([stored.parent])
    assert isinstance(broken, BrokenStudy)
    assert "is no plain file" in broken.reason


@pytest.mark.parametrize(
    ("path", "load"),
    [
        ("factors.safetensors", load_factors),
        ("masks.safetensors", lambda study: load_masks(study, "60")),
        ("history.jsonl", load_history),
    ],
)
def test_damage_is_noticed_where_a_file_is_read(stored: Path, path: str, load: Callable[[Study], Any]) -> None:
    study = read_study(stored)
    flip_a_bit(path)(stored)
    with pytest.raises(StoreError, match=f"{path} is not the file that was stored"):
        load(study)
    (stored / path).unlink()
    with pytest.raises(StoreError, match=f"{path} is missing"):
        load(study)
