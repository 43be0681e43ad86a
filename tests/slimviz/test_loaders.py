from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pruning.errors import SelectionError, StoreError
from pruning.records import to_plain
from pruning.study import Study, read_study
from slimviz import loaders
from slimviz.widgets.navigation import PAGES
from tests.factories.study_document import edit, made_by
from tests.factories.synthetic_study import write_study


def test_a_changed_study_is_read_again(look_in: Callable[..., None], tmp_path: Path) -> None:
    folder = write_study(tmp_path / "studies", "sst2")
    look_in(tmp_path / "studies")
    assert loaders.library().studies["sst2"].document.floor["accuracy"] == 0.509
    edit(folder, lambda document: document["floor"].update(accuracy=0.25))
    assert loaders.library().studies["sst2"].document.floor["accuracy"] == 0.25
    shutil.rmtree(folder)
    assert loaders.library().studies == {}


def test_pages_leave_studies_as_they_are(open_page: Callable[..., AppTest]) -> None:
    open_page("")
    found = loaders.library().studies
    before = {name: to_plain(study.document) for name, study in found.items()}
    for entry in PAGES:
        assert not open_page(entry.path, study="mnli").exception
    assert all(loaders.library().studies[name] is study for name, study in found.items())
    assert {name: to_plain(study.document) for name, study in found.items()} == before


def test_two_studies_of_one_name_are_both_shown(look_in: Callable[..., None], tmp_path: Path) -> None:
    for parent in ("first", "second", "second,too"):
        write_study(tmp_path / parent, "sst2")
    look_in(*(tmp_path / parent for parent in ("first", "second", "second,too")))
    found = loaders.library().studies
    assert list(found) == ["sst2", "second/sst2", "second_too/sst2"]
    assert [study.folder.parent.name for study in found.values()] == ["first", "second", "second,too"]


def test_a_dangling_link_hides_no_change(look_in: Callable[..., None], tmp_path: Path) -> None:
    (write_study(tmp_path, "sst2") / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    look_in(tmp_path)
    assert list(loaders.library().studies) == ["sst2"]
    write_study(tmp_path, "cola")
    assert list(loaders.library().studies) == ["cola", "sst2"]


def test_files_that_are_no_study_are_not_looked_at_one_by_one(
    look_in: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path, "sst2")
    for folder in (tmp_path, tmp_path / "notes", tmp_path / "sst2"):
        folder.mkdir(exist_ok=True)
        for number in range(300):
            (folder / f"{number}.txt").touch()
    look_in(tmp_path)
    loaders.library()
    seen, stat = [], Path.stat
    monkeypatch.setattr(loaders, "_kept_stamps", {})
    monkeypatch.setattr(Path, "stat", lambda path, **how: (seen.append(path), stat(path, **how))[1])
    assert list(loaders.library().studies) == ["sst2"]
    assert len(seen) < 40  # of 900 files


def test_a_slow_folder_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second look comes just before, the third just after twenty times the second that the first one took."""
    clock, worked = iter((100.0, 119.9, 120.1, 120.1)), iter((0.0, 1.0, 1.0, 2.0))
    monkeypatch.setattr(loaders, "_kept_stamps", {})
    monkeypatch.setattr(loaders.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(loaders.time, "thread_time", lambda: next(worked))
    before = loaders._library_stamp(str(tmp_path))
    (tmp_path / "new").mkdir()
    assert loaders._library_stamp(str(tmp_path)) == before
    assert loaders._library_stamp(str(tmp_path)) != before


def test_a_quick_folder_is_always_looked_at_however_busy_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(loaders, "_kept_stamps", {})
    monkeypatch.setattr(loaders.time, "monotonic", lambda: next(clock))
    before = loaders._library_stamp(str(tmp_path))
    (tmp_path / "new").mkdir()
    assert loaders._library_stamp(str(tmp_path)) != before


def test_broken_studies_are_named_and_the_rest_is_there(look_in: Callable[..., None], tmp_path: Path) -> None:
    write_study(tmp_path, "sst2")
    (write_study(tmp_path, "cola") / "study.json").write_text("{")
    (write_study(tmp_path, "rte") / "factors.safetensors").unlink()
    look_in(tmp_path)
    library = loaders.library()
    assert list(library.studies) == ["sst2"]
    assert {broken.name for broken in library.broken} == {"cola", "rte"}
    assert all(broken.reason for broken in library.broken)


def test_selection_at_stored_budgets_gives_the_stored_masks(studies: dict[str, Study]) -> None:
    for name in ("sst2", "mnli"):
        for percent in studies[name].selections:
            stored = loaders.masks(studies[name], percent)
            assert loaders.selection(studies[name], percent).masks.equals(stored)


def test_selection_between_budgets_meets_the_density(studies: dict[str, Study]) -> None:
    selection = loaders.selection(studies["sst2"], "7.3")
    assert 0.065 < selection.total_density <= 0.073


def test_selection_takes_the_closest_budgets_settings(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    fewest = study.selections["5"]
    selections = study.selections | {"5": fewest.replace(settings=fewest.settings.replace(positions=64))}
    changed = Study(study.folder / "..." / "elsewhere", study.document.replace(selections=selections))
    with pytest.raises(StoreError):
        loaders.selection(changed, "6")
    here = Study(study.folder, changed.document)
    loaders._selection.clear()
    assert loaders.selection(here, "6").positions == 64
    assert loaders.selection(here, "9").positions == 128
    loaders._selection.clear()


def test_what_a_rival_chose_is_read_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, other = (write_study(tmp_path, "sst2", name=name) for name in ("sst2", "sst2-kwon"))
    made_by(other, "kwon")
    again = loaders.selection(read_study(own), "10")
    monkeypatch.setattr(loaders, "select", None)
    stored = loaders.selection(read_study(other), "10")
    assert stored.masks.equals(again.masks)
    assert (stored.shape, stored.parameters, stored.flop_ratio) == (again.shape, again.parameters, again.flop_ratio)
    with pytest.raises(StoreError, match=r"no masks at 7\.3%"):
        loaders.selection(read_study(other), "7.3")


def test_below_the_smallest_density_is_one_line(studies: dict[str, Study]) -> None:
    with pytest.raises(SelectionError, match="below what is reachable"):
        loaders.selection(studies["sst2"], "0.001")


def test_history_is_read(studies: dict[str, Study]) -> None:
    assert {row["stage"] for row in loaders.history(studies["sst2"])} == {"teacher", "slim", "recover-10"}
