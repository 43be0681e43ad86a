"""Reading stored studies (no torch).

Nothing read from a study folder is trusted: `list_studies` turns whatever is wrong into a `BrokenStudy` with a reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.data.tasks import Task
from pruning.errors import ConfigError, StoreError
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.study.atomic import MOVED_ASIDE, present_folder
from pruning.study.consistency import factor_problems, mask_problems, masks_from_arrays
from pruning.study.document import (
    VARIANT,
    document_problems,
    shape_from_json,
)
from pruning.study.files import (
    CORE_FILES,
    DOCUMENT_FILE,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    one_line,
    parse_json,
    path_problem,
    read_bytes,
    reason_of,
    size_problems,
    tensors,
)

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "studies"


@dataclass(frozen=True)
class BrokenStudy:
    """A folder that should be a study but cannot be read as one."""

    folder: Path
    reason: str

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name


@dataclass(frozen=True)
class Study:
    """A stored study. `data` is `study.json`, whose keys and types have been checked; do not change it."""

    folder: Path
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """The study's name, also its folder's."""
        return self.data["name"]

    @property
    def task(self) -> Task:
        """The task."""
        return Task.from_json(self.data["task"])

    @property
    def shape(self) -> BertShape:
        """The dense backbone's widths."""
        return shape_from_json(self.data["backbone"]["shape"])

    @property
    def results(self) -> list[dict[str, Any]]:
        """One object per (variant, split, seed)."""
        return self.data["results"]

    @property
    def selections(self) -> dict[str, dict[str, Any]]:
        """What was selected, by total density in percent."""
        return self.data["selections"]

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all variants with results, in stored order."""
        return tuple(dict.fromkeys(result["variant"] for result in self.results))

    def weights(self, variant: str) -> Path | None:
        """Folder of a variant's weights (the teacher's: its adapter), or None where they are not all here."""
        if VARIANT.fullmatch(variant) is None:
            return None
        listed = [path for path in self.data["files"] if path.startswith(f"{variant}/")]
        if not any(path.endswith(".safetensors") for path in listed):
            return None
        return self.folder / variant if all((self.folder / path).is_file() for path in listed) else None


def study_folders() -> list[Path]:
    """Folders that hold studies: the bundled one, then those that SLIMVIZ_STUDIES names."""
    named = [Path(part).expanduser() for part in os.environ.get("SLIMVIZ_STUDIES", "").split(os.pathsep) if part]
    return list({folder.resolve(): folder for folder in (BUNDLED, *named)}.values())


def read_study(folder: Path | str) -> Study:
    """Read a study and check that it can be used: its document, and its files' presence and size.

    Checksums are compared where a file is read (`load_factors`, ...) and by `verify`. Weights may be missing as a
    whole (see `Study.weights`); a file that is there with another size than stored is damage.

    Raises:
        StoreError: one line saying what is wrong.
    """
    folder = Path(folder)
    if NAME.fullmatch(folder.name) is None:
        raise StoreError(
            f"{folder}: not a study's name, expected lower-case letters, digits, '.', '_' and '-', "
            "the first a letter or a digit"
        )
    try:
        return _read(present_folder(folder), folder.name)
    except StoreError:
        if folder.exists():
            return _read(folder, folder.name)  # it was being replaced while we looked
        raise


def _read(folder: Path, name: str) -> Study:
    data, problems = inspect_document(folder, name)
    if not problems:
        problems = list(size_problems(folder, data["files"], weights_needed=False))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise StoreError(f"{folder}: {one_line(problems[0])}{more}")
    return Study(folder, data)


def inspect_document(folder: Path, name: str) -> tuple[dict[str, Any], list[str]]:
    """`study.json` and its problems, for the study called `name`; StoreError where it is no JSON at all."""
    data = parse_json(read_bytes(folder, DOCUMENT_FILE), f"{folder}: {DOCUMENT_FILE}")
    problems = document_problems(data)
    if problems:
        return {}, problems
    problems = [problem for problem in map(path_problem, data["files"]) if problem]
    if data["name"] != name:
        problems.append(f"study.json: name is '{data['name']}', expected that of its folder, '{name}'")
    try:
        labels = Task.from_json(data["task"]).num_labels
    except ConfigError as error:
        return data, [*problems, f"study.json.task: {error}"]
    if labels != data["backbone"]["shape"]["labels"]:
        problems.append(f"study.json: the task has {labels} label(s), the shape {data['backbone']['shape']['labels']}")
    return data, problems


def list_studies(folders: Iterable[Path | str] | None = None) -> list[Study | BrokenStudy]:
    """All studies in these folders (default: `study_folders()`), by folder and name. Never raises.

    A folder may also be a study itself. Hidden folders (a study being written or replaced) are not listed.
    """
    found: list[Study | BrokenStudy] = []
    for folder in map(Path, study_folders() if folders is None else folders):
        try:
            if (folder / DOCUMENT_FILE).is_file():
                found.append(_read_or_broken(folder))
            elif folder.is_dir():
                found += [_read_or_broken(folder / name) for name in _study_names(folder)]
            elif folder != BUNDLED:
                found.append(BrokenStudy(folder, "no such folder"))
        except OSError as error:
            found.append(BrokenStudy(folder, reason_of(error)))
    return found


def _read_or_broken(folder: Path) -> Study | BrokenStudy:
    try:
        return read_study(folder)
    except StoreError as error:
        return BrokenStudy(folder, one_line(error))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError) as error:
        return BrokenStudy(folder, one_line(f"cannot be read: {type(error).__name__}: {error}"))


def _study_names(parent: Path) -> list[str]:
    """Names in a folder of studies: subfolders that hold a study's file, or whose study is being replaced."""
    names = set()
    for entry in parent.iterdir():
        match = re.fullmatch(rf"\.({NAME.pattern})\.{MOVED_ASIDE}-\d+", entry.name)
        if match:
            names.add(match[1])
        elif not entry.name.startswith(".") and any((entry / name).exists() for name in (DOCUMENT_FILE, *CORE_FILES)):
            names.add(entry.name)
    return sorted(names)


def _checked(study: Study, path: str) -> bytes:
    content = read_bytes(study.folder, path)
    if hashlib.sha256(content).hexdigest() != study.data["files"][path]["sha256"]:
        raise StoreError(f"{study.folder}: {path} is not the file that was stored (its checksum differs)")
    return content


def load_factors(study: Study) -> ImportanceFactors:
    """The importance factors that the study's selections were made from."""
    arrays = tensors(_checked(study, FACTORS_FILE), f"{study.folder}: {FACTORS_FILE}")
    problems = factor_problems(arrays, study.shape)
    if problems:
        raise StoreError(f"{study.folder}: {problems[0]}")
    return factors_from_arrays(study.shape, arrays)


def factors_from_arrays(shape: BertShape, arrays: Mapping[str, np.ndarray]) -> ImportanceFactors:
    """Factors from the arrays of ``factors.safetensors``."""
    by_criterion: dict[str, dict[Site, np.ndarray]] = {}
    for key, array in arrays.items():
        criterion, _, site = key.partition("/")
        if criterion not in ("pieces", "pooler"):
            by_criterion.setdefault(criterion, {})[Site(site)] = array
    pieces = TablePieces(arrays["pieces/counts"], arrays["pieces/protected"].astype(bool), arrays["pieces/spectrum"])
    return ImportanceFactors(shape, by_criterion, pieces, arrays["pooler/importance"])


def _mask_arrays(study: Study, percent: str) -> dict[str, np.ndarray]:
    if percent not in study.selections:
        known = ", ".join(study.selections) or "none"
        raise StoreError(f"{study.folder}: no masks at {percent}%, expected one of {known}")
    arrays = tensors(_checked(study, MASKS_FILE), f"{study.folder}: {MASKS_FILE}")
    problems = mask_problems(arrays, study.shape, study.selections)
    if problems:
        raise StoreError(f"{study.folder}: {problems[0]}")
    return arrays


def load_masks(study: Study, percent: str) -> Masks:
    """The masks of a stored budget ("10")."""
    return masks_from_arrays(_mask_arrays(study, percent), percent)


def load_pieces(study: Study, percent: str) -> np.ndarray:
    """The vocabulary ids that a stored budget keeps, sorted, int64."""
    return _mask_arrays(study, percent)[f"{percent}/pieces"].astype(np.int64)


def load_pooler(study: Study, percent: str) -> np.ndarray:
    """The pooler units that a stored budget keeps, bool."""
    return _mask_arrays(study, percent)[f"{percent}/pooler"].astype(bool)


def load_history(study: Study) -> list[dict[str, Any]]:
    """What training reported, one object per line of ``history.jsonl``."""
    where = f"{study.folder}: {HISTORY_FILE}"
    rows = [parse_json(line, where) for line in _checked(study, HISTORY_FILE).splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise StoreError(f"{where}: found something else on a line, expected an object on each")
    return rows
