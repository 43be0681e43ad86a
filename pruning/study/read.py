"""Reading stored studies (no torch).

Nothing read from a study folder is trusted: `list_studies` turns whatever is wrong into a `BrokenStudy` with a reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.data.tasks import Task
from pruning.errors import StoreError
from pruning.importance.factors import ImportanceFactors
from pruning.study.arrays import Cut, HistoryRow, decode_cuts, decode_factors, decode_history
from pruning.study.atomic import MOVED_ASIDE, present_folder
from pruning.study.consistency import name_problems, reference_problems
from pruning.study.document import Document, Result, SelectionRecord, decode
from pruning.study.files import (
    CORE_FILES,
    DOCUMENT_FILE,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    one_line,
    read_bytes,
    reason_of,
    size_problems,
)
from pruning.variants import Variant

if TYPE_CHECKING:
    from pruning.measure.network import Network

BUNDLED = Path(__file__).resolve().parents[2] / "assets" / "studies"
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


@dataclass(frozen=True)
class Study:
    """A stored study.

    Attributes:
        folder: where it lies.
        document: its checked `study.json`.
    """

    folder: Path
    document: Document

    @property
    def name(self) -> str:
        """The study's name, also its folder's."""
        return self.document.name

    @property
    def task(self) -> Task:
        """The task."""
        return self.document.task

    @property
    def shape(self) -> BertShape:
        """The dense backbone's widths."""
        return self.document.backbone.shape

    @property
    def results(self) -> tuple[Result, ...]:
        """One record a variant and split."""
        return self.document.results

    @property
    def selections(self) -> dict[str, SelectionRecord]:
        """What was selected, by the budget's name."""
        return self.document.selections

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of all variants with results, in stored order: "teacher", "slim-10", ..."""
        return tuple(dict.fromkeys(str(result.variant) for result in self.results))

    def variant(self, name: str | Variant) -> Variant:
        """The variant of that name; StoreError where the study has no results of it."""
        for result in self.results:
            if str(result.variant) == str(name):
                return result.variant
        raise StoreError(f"study {self.name}: no variant {str(name)!r:.60}, expected one of {', '.join(self.variants)}")

    def result(self, variant: str | Variant, split: str | None = None) -> Result | None:
        """A variant's row on a split (default: the task's first one where it is there), or None."""
        rows = [row for row in self.results if str(row.variant) == str(variant) and split in (None, row.split)]
        rows.sort(key=lambda row: row.split != self.task.validation[0])
        return rows[0] if rows else None

    def weights(self, variant: str | Variant) -> Path | None:
        """Folder of a variant's weights (the teacher's: its adapter), or None where they are not all here."""
        listed = self.weight_files(variant)
        if not any(path.endswith(".safetensors") for path in listed):
            return None
        return self.folder / str(variant) if all((self.folder / path).is_file() for path in listed) else None

    def weight_files(self, variant: str | Variant) -> list[str]:
        """Paths of a variant's files as listed in `study.json`."""
        return [path for path in self.document.files if path.startswith(f"{variant}/")]

    def importance(self, criterion: str) -> dict[Site, np.ndarray]:
        """A criterion's stored values, ``(layers, units)`` or ``(units,)`` float32 a site."""
        return load_factors(self).stored(criterion)

    def heads(self, criterion: str | None = None) -> np.ndarray:
        """Importance per head, (layers, heads) float32; by default of the criterion that the Heads page opens with."""
        return load_factors(self).heads(criterion)

    def network(self, variant: str | Variant) -> Any:
        """A variant's network: a torch module in eval mode on the CPU, loaded anew at each call."""
        return self._load(variant).model

    def tokenizer(self, variant: str | Variant) -> Any:
        """A variant's tokenizer."""
        return self._load(variant).tokenizer

    def logits(self, variant: str | Variant, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """What a variant answers, (texts, labels) float32.

        Args:
            variant: which network.
            texts: first texts.
            pairs: second texts, for tasks about two.
        """
        from pruning.data.examples import unlabelled
        from pruning.measure.logits import predict_logits

        network = self._load(variant)
        examples = unlabelled(list(texts), None if pairs is None else list(pairs), "texts")
        return predict_logits(network, examples)

    def _load(self, variant: str | Variant) -> Network:
        from pruning.study.networks import load_network

        return load_network(self, variant)

    @cached_property
    def data(self) -> dict[str, Any]:
        """TEMPORARY, for the dashboard until it reads `document`: `study.json` as schema 1 wrote it. Do not change."""
        from pruning.study.upgrade import as_schema_1

        return as_schema_1(self.document)


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
    folder = Path(folder)
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


def _checked(study: Study, path: str) -> bytes:
    content = read_bytes(study.folder, path)
    if hashlib.sha256(content).hexdigest() != study.document.files[path].sha256:
        raise StoreError(f"{study.folder}: {path} is not the file that was stored (its checksum differs)")
    return content


def load_factors(study: Study) -> ImportanceFactors:
    """The importance factors that the study's selections were made from; StoreError where they are damaged."""
    content = _checked(study, FACTORS_FILE)
    try:
        return decode_factors(content, study.shape)
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None


def load_cut(study: Study, budget: str) -> Cut:
    """Masks, vocabulary and pooler units of a stored budget ("10"); StoreError where they are missing or damaged."""
    if budget not in study.selections:
        known = ", ".join(study.selections) or "none"
        raise StoreError(f"{study.folder}: no masks at {budget}%, expected one of {known}")
    content = _checked(study, MASKS_FILE)
    try:
        return decode_cuts(content, study.shape, study.selections)[budget]
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None


def load_masks(study: Study, budget: str) -> Masks:
    """The masks of a stored budget ("10")."""
    return load_cut(study, budget).masks


def load_history(study: Study) -> list[HistoryRow]:
    """What training reported, one object per line of ``history.jsonl``."""
    content = _checked(study, HISTORY_FILE)
    try:
        return decode_history(content)
    except StoreError as error:
        raise StoreError(f"{study.folder}: {error}") from None
