"""Reading stored studies (no torch).

Nothing read from a study folder is trusted: `list_studies` turns whatever is wrong into a `BrokenStudy` with a reason.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pruning.errors import StoreError
from pruning.shipped import shipped
from pruning.study.atomic import MOVED_ASIDE, present_folder
from pruning.study.consistency import name_problems, reference_problems
from pruning.study.document import Document, decode
from pruning.study.files import (
    CORE_FILES,
    DOCUMENT_FILE,
    NAME,
    named,
    one_line,
    read_bytes,
    reason_of,
    size_problems,
)
from pruning.study.study import Study

BUNDLED = shipped("studies")
FOLDERS_VARIABLE = "SLIMVIZ_STUDIES"


@dataclass(frozen=True)
class BrokenStudy:
    """A folder that should be a study but cannot be read as one."""

    folder: Path
    reason: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


def study_folders() -> list[Path]:
    """Folders that hold studies: the bundled one, then those that SLIMVIZ_STUDIES names."""
    named = [Path(part).expanduser() for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
    return list({folder.resolve(): folder for folder in (BUNDLED, *named)}.values())


def find_study(name: Path | str) -> Study:
    """A study by its folder, or by its name in one of `study_folders()`.

    Raises:
        StoreError: if there is none, or it cannot be read.
    """
    folder = Path(name)
    if len(folder.parts) != 1 or folder.is_absolute() or (folder / DOCUMENT_FILE).is_file():
        return read_study(folder)
    for parent in study_folders():
        if present_folder(parent / folder).is_dir():
            return read_study(parent / folder)
    known = ", ".join(sorted({study.name for study in list_studies()})) or "none is stored"
    raise StoreError(f"study {one_line(name, 60)!r}: not found, expected a folder or one of {known}")


def read_study(folder: Path | str) -> Study:
    """Read a study and check that it can be used: its document, and its files' presence and size.

    Checksums are compared where a file is read (`load_factors`, ...) and by `verify`. Weights may be missing as a
    whole (see `Study.weights`); a file that is there with another size than stored is damage.

    Raises:
        StoreError: one line saying what is wrong.
    """
    folder = named(folder)
    if NAME.fullmatch(folder.name) is None:
        raise StoreError(
            f"{one_line(folder)}: not a study's name, expected lower-case letters, digits, '.', '_' and '-', "
            "the first a letter or a digit"
        )
    try:
        return _read(present_folder(folder), folder.name)
    except StoreError:
        if folder.exists():
            return _read(folder, folder.name)  # it was being replaced while we looked
        raise


def _read(folder: Path, name: str) -> Study:
    document, problems = read_document(folder, name)
    if not problems:
        problems = list(size_problems(folder, document.files, weights_needed=False))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise StoreError(f"{folder}: {one_line(problems[0])}{more}")
    return Study(folder, document)


def read_document(folder: Path, name: str) -> tuple[Document, list[str]]:
    """`study.json` of the study called `name`, and what in it contradicts itself.

    Raises:
        StoreError: where it cannot be read or is not of the schema.
    """
    content = read_bytes(folder, DOCUMENT_FILE)
    try:
        document = decode(content)
    except StoreError as error:
        raise StoreError(f"{folder}: {one_line(error)}") from None
    return document, name_problems(document, name) + reference_problems(document)


def list_studies(folders: Iterable[Path | str] | None = None) -> list[Study | BrokenStudy]:
    """All studies in these folders (default: `study_folders()`), by folder and name. Never raises.

    A folder may also be a study itself. Hidden folders (a study being written or replaced) are not listed.
    """
    found: list[Study | BrokenStudy] = []
    for folder in map(Path, study_folders() if folders is None else folders):
        try:
            if os.path.isfile(folder / DOCUMENT_FILE):  # noqa: PTH113  (pathlib's raises where a folder is closed)
                found.append(_read_or_broken(folder))
            elif folder.is_dir():
                found += [_read_or_broken(folder / name) for name in _study_names(folder)]
            elif folder != BUNDLED:
                found.append(BrokenStudy(folder, "no such folder"))
        except (OSError, ValueError) as error:
            found.append(BrokenStudy(folder, reason_of(error) if isinstance(error, OSError) else one_line(error)))
    return found


def _read_or_broken(folder: Path) -> Study | BrokenStudy:
    try:
        return read_study(folder)
    except StoreError as error:
        return BrokenStudy(folder, one_line(error))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        return BrokenStudy(folder, one_line(f"cannot be read: {type(error).__name__}: {error}"))


def _study_names(parent: Path) -> list[str]:
    """Names in a folder of studies: subfolders that hold a study's file, or whose study is being replaced."""
    names = set()
    with os.scandir(parent) as entries:
        for entry in entries:
            match = re.fullmatch(rf"\.({NAME.pattern})\.{MOVED_ASIDE}-\d+", entry.name)
            if match:
                names.add(match[1])
            elif not entry.name.startswith(".") and _is_folder(entry):
                files = (DOCUMENT_FILE, *CORE_FILES)
                if any(os.path.lexists(f"{entry.path}/{name}") for name in files):
                    names.add(entry.name)
    return sorted(names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False
