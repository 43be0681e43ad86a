"""Write aside, then rename, so that a reader finds the whole old thing or the whole new one; locks on folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from pruning.errors import TrainingError

try:
    import fcntl
except ImportError:  # not a POSIX system: writers are not kept apart there
    fcntl = None


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Yield a path to write a file or a folder to; it takes the name of `path` when the block ends well.

    What a killed writer left aside is removed first, so there may be one writer at a time (see `locked`).
    """
    aside = path.with_name(f"{path.name}.partial")
    remove(aside)
    path.parent.mkdir(parents=True, exist_ok=True)
    yield aside
    put_in_place(aside, path)


def put_in_place(aside: Path, path: Path) -> None:
    """Rename something whole; a folder that has the name is removed right before."""
    if path.is_dir():
        remove(path)
    aside.replace(path)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[bool]:
    """Keep others out of a folder (no lock file to leave behind: the folder itself is locked).

    Args:
        folder: must be there.
        on_wait: called once where someone else holds the lock.

    Yields:
        Whether that worked; on a file system without locks it goes on all the same.
    """
    if fcntl is None:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle, on_wait)
    finally:
        os.close(handle)


def _lock(handle: int, on_wait: Callable[[], None]) -> bool:
    assert fcntl is not None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


@contextmanager
def disk_errors_named(folder: Path) -> Iterator[None]:
    """Say where the disk failed: many writers name no path.

    Raises:
        TrainingError: for every failure to read or write, with the path.
    """
    try:
        yield
    except SafetensorError as error:
        raise TrainingError(f"{folder}: {_reason(error)}; expected free disk, and files that are whole") from error
    except OSError as error:
        where = error.filename if isinstance(error.filename, str | os.PathLike) else folder
        raise TrainingError(f"{where}: {_reason(error)}; expected free disk, and a folder to write to") from error


def _reason(error: Exception) -> str:
    """The first line of what a library says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join((str(error).splitlines() or [type(error).__name__])[0].split())[:160]
