"""The folder that an export goes to: never one that holds something, never half of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pruning.errors import ConfigError, quoted
from pruning.files import remove, written_aside


def check_destination(folder: Path | str) -> Path:
    """The folder's absolute path.

    Raises:
        ConfigError: it holds something, is a file, or is the one that the process works in.
    """
    try:
        place = Path(folder).resolve()
        is_there, is_folder = place.exists(), place.is_dir()
    except (OSError, RuntimeError) as error:  # a name too long, links in a circle
        raise ConfigError(f"folder {quoted(str(folder), 200)}: {error}; expected a new or an empty folder") from None
    if is_there and not is_folder:
        raise ConfigError(f"folder {quoted(str(folder), 200)}: is a file, expected a new or an empty folder")
    if is_folder and any(place.iterdir()):
        raise ConfigError(f"folder {quoted(str(folder), 200)}: holds something, expected a new or an empty folder")
    if place == Path.cwd() or not place.name:  # renamed into place, it would be gone from under whoever stands in it
        raise ConfigError(f"folder {quoted(str(folder), 200)}: expected a folder of its own, not the one you are in")
    return place


@contextmanager
def put_whole(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill; it takes the name of `folder` when the block ends well, else nothing is left."""
    with written_aside(folder) as aside:
        try:
            aside.mkdir()
            yield aside
        except BaseException:
            remove(aside)
            raise
