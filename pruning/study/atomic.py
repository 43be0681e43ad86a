"""Put a whole folder in place at once, also over an older one (no torch).

A folder is built under a hidden name beside its place, then renamed. Over an older one that takes two renames: the old
one moves aside, the new one takes the name. In between readers find the old one aside (`present_folder`), and a
writer that was killed there is put right by the next one (`sweep`).
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

IN_WORK = "partial"  # a folder being written, or an old one being removed: .<name>.partial-<number>
MOVED_ASIDE = "replaced"  # a whole old folder while the new one takes its place: .<name>.replaced-<number>


def hidden_sibling(folder: Path, kind: str = IN_WORK) -> Path:
    """A new hidden path beside a folder, which no reader lists."""
    return folder.parent / f".{folder.name}.{kind}-{time.time_ns():020d}{os.getpid()}"


def _hidden_siblings(folder: Path, kind: str) -> list[Path]:
    """What `hidden_sibling` named, oldest first."""
    pattern = re.compile(rf"\.{re.escape(folder.name)}\.{kind}-\d+")
    beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
    return sorted(path for path in beside if pattern.fullmatch(path.name))


def moved_aside(folder: Path) -> list[Path]:
    """Old versions that a replacement moved aside and has not removed, oldest first."""
    return _hidden_siblings(folder, MOVED_ASIDE)


def present_folder(folder: Path) -> Path:
    """The folder that holds a study now: where a replacement was cut short, the old one, still aside."""
    if folder.exists():
        return folder
    aside = moved_aside(folder)
    return aside[-1] if aside else folder


def sweep(folder: Path, alone: bool) -> None:
    """Put right what a killed writer of this study left: the old study back in place, half-written ones away."""
    for aside in reversed(moved_aside(folder)):
        if not os.path.lexists(folder):
            aside.rename(folder)  # killed between the two renames of `publish`
        else:
            _remove(aside, folder)
    if alone:
        for path in _hidden_siblings(folder, IN_WORK):
            shutil.rmtree(path, ignore_errors=True)


def publish(staging: Path, folder: Path) -> None:
    """Rename a complete study into place. Readers fall back on the old one moved aside while the name is free."""
    for path in (staging, *(path for path in staging.rglob("*") if path.is_dir())):
        _sync(path)
    aside = None
    if os.path.lexists(folder) and any(folder.iterdir()):
        aside = hidden_sibling(folder, MOVED_ASIDE)
        folder.rename(aside)
    try:
        staging.rename(folder)
    except BaseException:
        if aside is not None:
            aside.rename(folder)
        raise
    with suppress(OSError):  # the new one is in place, that is no failure; an old one left aside is swept next time
        _sync(folder.parent)
        if aside is not None:
            _remove(aside, folder)


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Replace one file of a folder: readers find the old one or the new one, whole."""
    staging = hidden_sibling(folder)
    staging.mkdir()
    try:
        with (staging / name).open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        (staging / name).replace(folder / name)
        _sync(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove(old: Path, folder: Path) -> None:
    """Remove an old study. Renamed first, so that one that is half removed is never taken for a whole one."""
    doomed = hidden_sibling(folder)
    old.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk before going on."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
