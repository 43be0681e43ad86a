"""Writing a study folder, whole or not at all (no torch).

A study is one (task, backbone, data, configuration). `write_study` builds it in a hidden sibling folder, checks it,
and renames it into place, so that a half-written study is never listed and a stored one is never lost: killed at any
moment, the name leads to the old study or to the new one. What a killed writer left is swept by the next one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pruning.config import StudyConfig
from pruning.data.tasks import Task
from pruning.errors import StoreError
from pruning.files import locked
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablation
from pruning.records import to_plain
from pruning.selection.select import Selection
from pruning.study.arrays import encode_cuts, encode_factors, encode_history
from pruning.study.atomic import hidden_sibling, moved_aside, publish, replace_file, sweep
from pruning.study.document import Document, FileRecord, encode
from pruning.study.files import (
    DOCUMENT_FILE,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    one_line,
    path_problem,
    reason_of,
    unlisted_files,
)
from pruning.study.read import read_study
from pruning.study.study import Study
from pruning.study.verify import document_problems, folder_problems
from pruning.variants import Variant


@dataclass(frozen=True, eq=False)
class StudyContents:
    """All that a study folder holds.

    Attributes:
        document: `study.json` with any name and without ``files``: the folder gives the one, writing the other.
        factors: what the selections were made from.
        selections: of each stored budget, by its name.
        history: what training reported, a row a step.
        weights: files to store, a folder for each variant that ships (the teacher's: its adapter).
    """

    document: Document
    factors: ImportanceFactors
    selections: Mapping[str, Selection]
    history: Sequence[Mapping[str, Any]]
    weights: Mapping[Variant, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Identity:
    """What makes a study this one and no other; only the same study is ever replaced.

    Attributes:
        task: what it was trained for.
        backbone: sha256 of the backbone's weights, by whatever name it went.
        config: all settings.
        training_data: sha256 of the training rows, because a user's own task is known by nothing else.
    """

    task: Task
    backbone: str
    config: StudyConfig
    training_data: str

    @classmethod
    def of(cls, document: Document) -> Identity:
        """The identity of a stored study."""
        data = document.provenance.data
        return cls(document.task, document.backbone.sha256, document.config, data.train.sha256)

    def differences(self, stored: Identity) -> list[str]:
        """What differs from a stored study, "config.seed 0 there, 1 here"."""
        here, there = dict(self._values()), dict(stored._values())
        return [
            f"{key} {_brief(there.get(key))} there, {_brief(here.get(key))} here"
            for key in here | there
            if here.get(key) != there.get(key)
        ]

    def _values(self) -> Iterator[tuple[str, Any]]:
        yield "task", to_plain(self.task)
        yield "backbone", self.backbone
        yield "training data", self.training_data
        # The name that the backbone went by is no part of it: its weights are.
        for name, value in to_plain(self.config.replace(backbone="-")).items():
            if isinstance(value, dict):
                yield from ((f"config.{name}.{inner}", setting) for inner, setting in value.items())
            else:
                yield f"config.{name}", value


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name", "...")
    text = json.dumps(value)
    return text if len(text) <= 24 else text[:16] + '..."'


def write_study(folder: Path | str, contents: StudyContents, *, overwrite: bool = False) -> Study:
    """Store a study, whole or not at all.

    Args:
        folder: where; its name becomes the study's name.
        contents: what to store.
        overwrite: whether a stored study of the same `Identity` may be replaced.

    Returns:
        The study as read back.

    Raises:
        StoreError: one line; whatever was stored before is still there.
    """
    folder = Path(folder)
    _check_name(folder)
    staging = hidden_sibling(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent) as alone:
            sweep(folder, alone)
            _check_free(folder, Identity.of(contents.document), overwrite)
            try:
                staging.mkdir()
                _fill(staging, folder.name, contents)
                problems = folder_problems(staging, folder.name)
                if problems:
                    raise StoreError(f"{folder}: not stored, it would not be a valid study: {one_line(problems[0])}")
                publish(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"{folder}: the study cannot be stored: {reason_of(error)}") from error
    return read_study(folder)


def rewrite_document(folder: Path, converted: Callable[[], Document | None]) -> bool:
    """Replace a stored study's `study.json`; every other file stays.

    Args:
        folder: the study's.
        converted: reads the document and gives the new one, or None to leave it; called while no other writer is at it.

    Returns:
        Whether it was replaced.

    Raises:
        StoreError: one line; whatever was stored before is still there.
    """
    try:
        with locked(folder.parent) as alone:
            sweep(folder, alone)
            document = converted()
            if document is not None:
                replace_file(folder, DOCUMENT_FILE, encode(document))
    except OSError as error:
        raise StoreError(f"{folder}: study.json cannot be replaced: {reason_of(error)}") from error
    return document is not None


def keep_ablations(folder: Path, ablations: Sequence[Ablation]) -> None:
    """Store curves with a study, in place of those of the same network and split; every other file stays.

    Raises:
        StoreError: one line; whatever was stored before is still there.
    """

    def converted() -> Document:
        document = read_study(folder).document
        new = {(one.network, one.split): one for one in ablations}
        kept = [one for one in document.ablations if (one.network, one.split) not in new]
        changed = document.replace(ablations=(*kept, *new.values()))
        problems = document_problems(changed, folder.name)
        if problems:
            raise StoreError(f"{folder}: curves not stored, it would not be a valid study: {one_line(problems[0])}")
        return changed

    rewrite_document(folder, converted)


def check_destination(folder: Path | str, identity: Identity, overwrite: bool = False) -> None:
    """Check that `write_study` could store this study there, before hours are spent on it.

    Args:
        folder: where the study shall go.
        identity: of the coming study.
        overwrite: as in `write_study`.

    Raises:
        StoreError: the folder cannot be written, or holds something else.
    """
    folder = Path(folder)
    _check_name(folder)
    trial = hidden_sibling(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent) as alone:
            trial.mkdir()
            trial.rmdir()
            sweep(folder, alone)
            _check_free(folder, identity, overwrite)
    except OSError as error:
        raise StoreError(f"{folder}: a study cannot be stored there: {reason_of(error)}") from error


def free_name(parent: Path | str, name: str) -> str:
    """`name`, or the first of ``name-2``, ``name-3``, ... that is not taken in this folder."""
    candidates = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    folders = (Path(parent, candidate) for candidate in candidates)
    return next(folder.name for folder in folders if not os.path.lexists(folder) and not moved_aside(folder))


def _check_name(folder: Path) -> None:
    if NAME.fullmatch(folder.name) is None:
        raise StoreError(
            f"{one_line(folder)}: '{one_line(folder.name, 60)}' cannot be a study's name, expected at most 100 "
            "lower-case letters, digits, '.', '_' and '-', the first a letter or a digit"
        )


def _check_free(folder: Path, identity: Identity, overwrite: bool) -> None:
    """Raise `StoreError` unless the folder is free, or holds this very study and may be replaced."""
    if not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())):
        return
    hint = f"expected a name of its own, such as '{free_name(folder.parent, folder.name)}'"
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(f"{folder}: is in the way and no folder, {hint}")
    try:
        stored = read_study(folder).document
    except StoreError as error:
        reason = str(error).removeprefix(f"{folder}: ")
        raise StoreError(f"{folder}: is in the way and no study that can be read ({reason}), {hint}") from None
    differing = identity.differences(Identity.of(stored))
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise StoreError(f"{folder}: holds another study ({'; '.join(differing[:3])}{more}), {hint}")
    if not overwrite:
        raise StoreError(f"{folder}: this study is stored there already, {hint}, or --overwrite to replace it")
    extra = unlisted_files(folder, stored.files)
    if extra:
        raise StoreError(f"{folder}: holds '{one_line(extra[0], 100)}', no part of the study; move it away to replace")


def _fill(staging: Path, name: str, contents: StudyContents) -> None:
    """Write every file of the study, `study.json` last, each down to the disk."""
    files = {
        FACTORS_FILE: _write(staging / FACTORS_FILE, encode_factors(contents.factors)),
        MASKS_FILE: _write(staging / MASKS_FILE, encode_cuts(contents.selections)),
        HISTORY_FILE: _write(staging / HISTORY_FILE, encode_history(contents.history)),
    }
    for variant, source in contents.weights.items():
        found = sorted(path for path in source.rglob("*") if not path.is_dir())
        if not found:
            raise StoreError(f"{source}: holds no files, expected the weights for {variant}")
        for path in found:
            relative = f"{variant}/{path.relative_to(source).as_posix()}"
            problem = path_problem(relative)
            if problem:
                raise StoreError(f"{path}: cannot be stored: {problem.removeprefix('study.json: files: ')}")
            (staging / relative).parent.mkdir(parents=True, exist_ok=True)
            files[relative] = _write(staging / relative, path.read_bytes())
    document = contents.document
    # A folder's path says nothing on another machine, and is nobody's business.
    config = document.config.replace(backbone=document.backbone.name)
    _write(staging / DOCUMENT_FILE, encode(document.replace(name=name, config=config, files=files)))


def _write(path: Path, content: bytes) -> FileRecord:
    """Write a new file down to the disk; its checksum and size."""
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return FileRecord(hashlib.sha256(content).hexdigest(), len(content))
