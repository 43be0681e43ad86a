"""What is written aside appears whole or not at all; a folder's lock keeps others out."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest
from safetensors import SafetensorError

from pruning.errors import TrainingError
from pruning.files import disk_errors_named, locked, remove, written_aside


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for content in ("first", "second"):
        with written_aside(path) as aside:
            aside.write_text(content)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == content
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


def test_a_folder_appears_whole_and_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    for name in ("first", "second"):
        with written_aside(path) as aside:
            aside.mkdir()
            (aside / name).touch()
        assert [entry.name for entry in path.iterdir()] == [name]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError), written_aside(path) as aside:
        aside.write_text("half\ud800", encoding="utf-8")
    assert path.read_text() == "old"
    with written_aside(path) as aside:  # what was left aside is no hindrance
        assert not aside.exists()
        aside.write_text("new")
    assert path.read_text() == "new"


def test_a_link_is_removed_and_not_what_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder)
    for path in (link, link, tmp_path / "absent"):
        remove(path)
    assert folder.is_dir()
    assert not link.is_symlink()


def test_a_file_system_without_locks_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with locked(tmp_path) as alone:
        assert alone
    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path) as alone:
        assert not alone


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "runs/a: No space left on device; expected free disk, "),
        (OSError(errno.EACCES, "Permission denied", "runs/a/b"), "runs/a/b: Permission denied; expected free disk, "),
        (OSError("odd"), "runs/a: odd; expected free disk, "),
        (SafetensorError("Error while serializing: I/O error\nat 3"), "runs/a: Error while serializing: I/O error; "),
    ],
    ids=["write", "open", "odd", "safetensors"],
)
def test_failures_of_the_disk_name_a_path(error: Exception, message: str) -> None:
    with pytest.raises(TrainingError) as caught, disk_errors_named(Path("runs/a")):
        raise error
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
