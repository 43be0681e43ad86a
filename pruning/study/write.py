"""The study folder: write it in one piece, read it back, verify it (no torch).

A study is one (task, backbone, seed, configuration). `write_study` builds it in a hidden sibling folder, checks it,
and renames it into place, so that a half-written study is never listed and a stored one is never lost: killed at any
moment, the name leads to the old study or to the new one. What a killed writer left is swept by the next one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save as pack_tensors

from pruning.errors import StoreError
from pruning.importance.factors import ImportanceFactors
from pruning.selection.select import Selection
from pruning.study.atomic import hidden_sibling, moved_aside, only_writer, publish, sweep
from pruning.study.document import SCHEMA, network_from_json, network_to_json, parameters_to_json, ratio
from pruning.study.files import (
    DOCUMENT_FILE,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    one_line,
    path_problem,
    reason_of,
)
from pruning.study.read import (
    BUNDLED,
    BrokenStudy,
    Study,
    factors_from_arrays,
    list_studies,
    load_factors,
    load_history,
    load_masks,
    load_pieces,
    load_pooler,
    read_study,
    study_folders,
)
from pruning.study.verify import folder_problems, unlisted_files, verify

__all__ = [
    "BUNDLED",
    "BrokenStudy",
    "Study",
    "check_destination",
    "factor_arrays",
    "factors_from_arrays",
    "free_name",
    "list_studies",
    "load_factors",
    "load_history",
    "load_masks",
    "load_pieces",
    "load_pooler",
    "network_from_json",
    "network_to_json",
    "parameters_to_json",
    "ratio",
    "read_study",
    "study_folders",
    "verify",
    "write_study",
]


def write_study(
    folder: Path | str,
    data: Mapping[str, Any],
    *,
    factors: ImportanceFactors,
    masks: Mapping[str, Selection],
    history: Sequence[Mapping[str, Any]],
    adapter_folder: Path | str | None = None,
    slim_folders: Mapping[str, Path | str] | None = None,
    overwrite: bool = False,
) -> Study:
    """Store a study, whole or not at all.

    Args:
        folder: where; its name becomes the study's name.
        data: `study.json` without ``schema``, ``name`` and ``files``, which are filled in here. Numbers that are not
            finite are stored as null.
        factors: what the selections were made from.
        masks: the selection of each stored budget, by total density in percent ("10").
        history: what training reported.
        adapter_folder: the teacher's files, stored as ``teacher/``.
        slim_folders: files of the slim networks that ship, by percent, stored as ``slim-<percent>/``.
        overwrite: whether a stored study of the same task, backbone, seed, data and configuration may be replaced.

    Returns:
        The study as read back.

    Raises:
        StoreError: one line; whatever was stored before is still there.
    """
    folder = Path(folder)
    _check_name(folder)
    weights = {"teacher": adapter_folder} if adapter_folder is not None else {}
    weights |= {f"slim-{percent}": source for percent, source in (slim_folders or {}).items()}
    staging = hidden_sibling(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(folder.parent) as alone:
            sweep(folder, alone)
            _check_free(folder, data, overwrite)
            try:
                staging.mkdir()
                _fill(staging, folder.name, data, factors, masks, history, weights)
                problems = folder_problems(staging, folder.name)
                if problems:
                    raise StoreError(f"{folder}: not stored, it would not be a valid study: {one_line(problems[0])}")
                publish(staging, folder)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise StoreError(f"{folder}: the study cannot be stored: {reason_of(error)}") from error
    return read_study(folder)


def check_destination(folder: Path | str, data: Mapping[str, Any], overwrite: bool = False) -> None:
    """Check that `write_study` could store this study there, before hours are spent on it.

    Args:
        folder: where the study shall go.
        data: of the coming `study.json`, at least ``task``, ``backbone.sha256``, ``config``, ``provenance.seed`` and
            ``provenance.data``.
        overwrite: as in `write_study`.

    Raises:
        StoreError: the folder cannot be written, or holds something else.
    """
    folder = Path(folder)
    _check_name(folder)
    trial = hidden_sibling(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with only_writer(folder.parent) as alone:
            trial.mkdir()
            trial.rmdir()
            sweep(folder, alone)
            _check_free(folder, data, overwrite)
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
            f"{folder}: '{one_line(folder.name, 60)}' cannot be a study's name, expected at most 100 lower-case "
            "letters, digits, '.', '_' and '-', the first a letter or a digit"
        )


def _identity(data: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a study this one and no other. Data counts, because a user's own task is known by nothing else."""
    provenance = data["provenance"]
    train = provenance["data"].get("train") or {}
    identity = {
        "task": data["task"],
        "backbone": data["backbone"]["sha256"],
        "seed": provenance["seed"],
        "training data": train.get("sha256"),
    }
    return _plain(identity | {f"config.{key}": value for key, value in data["config"].items()})


def _check_free(folder: Path, data: Mapping[str, Any], overwrite: bool) -> None:
    """Raise `StoreError` unless the folder is free, or holds this very study and may be replaced."""
    if not os.path.lexists(folder) or (folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())):
        return
    hint = f"expected a name of its own, such as '{free_name(folder.parent, folder.name)}'"
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(f"{folder}: is in the way and no folder, {hint}")
    try:
        stored = read_study(folder)
    except StoreError as error:
        reason = str(error).removeprefix(f"{folder}: ")
        raise StoreError(f"{folder}: is in the way and no study that can be read ({reason}), {hint}") from None
    here, there = _identity(data), _identity(stored.data)
    differing = [key for key in here | there if here.get(key) != there.get(key)]
    if differing:
        shown = "; ".join(
            f"{key} {_brief(there.get(key))} there, {_brief(here.get(key))} here" for key in differing[:3]
        )
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise StoreError(f"{folder}: holds another study ({shown}{more}), {hint}")
    if not overwrite:
        raise StoreError(f"{folder}: this study is stored there already, {hint} or leave to replace it")
    extra = unlisted_files(folder, stored.data["files"])
    if extra:
        raise StoreError(f"{folder}: holds '{one_line(extra[0], 100)}', no part of the study; move it away to replace")


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name", "...")
    text = json.dumps(value)
    return text if len(text) <= 24 else text[:16] + '..."'


def factor_arrays(factors: ImportanceFactors) -> dict[str, np.ndarray]:
    """Factors as stored in ``factors.safetensors``."""
    arrays: dict[str, np.ndarray] = {
        f"{criterion}/{site.value}": values.astype(np.float32)
        for criterion, sites in factors.by_criterion.items()
        for site, values in sites.items()
    }
    arrays["pieces/counts"] = factors.pieces.counts.astype(np.int32)
    arrays["pieces/protected"] = factors.pieces.protected.astype(np.uint8)
    arrays["pieces/spectrum"] = factors.pieces.spectrum.astype(np.float32)
    arrays["pooler/importance"] = factors.pooler.astype(np.float32)
    return arrays


def _mask_arrays(selections: Mapping[str, Selection]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for percent, selection in selections.items():
        arrays |= {f"{percent}/{site.value}": mask.astype(np.uint8) for site, mask in selection.masks.items()}
        arrays[f"{percent}/pooler"] = selection.pooler.astype(np.uint8)
        arrays[f"{percent}/pieces"] = selection.pieces.astype(np.int32)
    return arrays


def _fill(
    staging: Path,
    name: str,
    data: Mapping[str, Any],
    factors: ImportanceFactors,
    masks: Mapping[str, Selection],
    history: Sequence[Mapping[str, Any]],
    weights: Mapping[str, Path | str],
) -> None:
    """Write every file of the study, `study.json` last, each down to the disk."""
    files = {
        FACTORS_FILE: _write(staging / FACTORS_FILE, _packed(factor_arrays(factors))),
        MASKS_FILE: _write(staging / MASKS_FILE, _packed(_mask_arrays(masks))),
        HISTORY_FILE: _write(staging / HISTORY_FILE, "".join(_json(row) + "\n" for row in history).encode()),
    }
    for subfolder, source in weights.items():
        source = Path(source)
        found = sorted(path for path in source.rglob("*") if not path.is_dir())
        if not found:
            raise StoreError(f"{source}: holds no files, expected the weights for {subfolder}")
        for path in found:
            relative = f"{subfolder}/{path.relative_to(source).as_posix()}"
            problem = path_problem(relative)
            if problem:
                raise StoreError(f"{path}: cannot be stored: {problem.removeprefix('study.json.files: ')}")
            (staging / relative).parent.mkdir(parents=True, exist_ok=True)
            files[relative] = _write(staging / relative, path.read_bytes())
    document = {"schema": SCHEMA, "name": name} | dict(data) | {"schema": SCHEMA, "name": name, "files": files}
    _write(staging / DOCUMENT_FILE, (_json(document, indent=1) + "\n").encode())


def _packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    return pack_tensors({key: np.ascontiguousarray(array) for key, array in arrays.items()})


def _json(value: Any, indent: int | None = None) -> str:
    try:
        return json.dumps(_plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"study.json: {one_line(error, 120)}, expected plain values") from error


def _plain(value: Any) -> Any:
    """Plain JSON values: NumPy's scalars as Python's, numbers that are not finite as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: Path, content: bytes) -> dict[str, Any]:
    """Write a new file down to the disk; its checksum and size."""
    with path.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
