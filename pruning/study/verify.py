"""Everything about a stored study that can be checked without running it (no torch).

Paths and file set, checksums, JSON and safetensors readable, arrays against the backbone's shape, counts against the
networks' shapes, ratios against what they are ratios of.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from pruning.data.tasks import Task
from pruning.errors import StoreError
from pruning.study.atomic import present_folder
from pruning.study.consistency import arithmetic_problems, factor_problems, mask_problems
from pruning.study.document import VARIANT, shape_from_json
from pruning.study.files import (
    CORE_FILES,
    DOCUMENT_FILE,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    one_line,
    parse_json,
    read_bytes,
    reason_of,
    size_problems,
    tensors,
)
from pruning.study.read import inspect_document

FLOATS = ("F64", "F32", "F16", "BF16")


def verify(folder: Path | str) -> list[str]:
    """Problems of a stored study, one line each; empty where all is well. Never raises."""
    folder = Path(folder)
    if NAME.fullmatch(folder.name) is None:
        return [f"'{one_line(folder.name, 60)}' is not a study's name"]
    try:
        problems = folder_problems(present_folder(folder), folder.name)
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError, MemoryError) as error:
        problems = [f"cannot be checked: {type(error).__name__}: {error}"]
    return [one_line(problem) for problem in problems]


def folder_problems(folder: Path, name: str) -> list[str]:
    """Problems of the study called `name` in a folder that may be called otherwise (while it is being written)."""
    try:
        data, problems = inspect_document(folder, name)
    except StoreError as error:
        return [str(error).removeprefix(f"{folder}: ")]
    if problems:
        return problems
    files = data["files"]
    problems = list(size_problems(folder, files, weights_needed=True))
    problems += [f"{path}: not listed in study.json" for path in unlisted_files(folder, files)]
    damaged = {problem.partition(":")[0] for problem in problems}
    for path in files:
        if path in damaged:
            continue
        try:
            problems += _content_problems(folder, path, data)
        except StoreError as error:
            problems.append(str(error).removeprefix(f"{folder}: "))
        except OSError as error:
            problems.append(f"{path}: cannot be read: {reason_of(error)}")
    task = Task.from_json(data["task"])
    problems += arithmetic_problems(data, task.main_metric, task.validation[0])
    problems += _shipping_problems(data)
    return problems


def unlisted_files(folder: Path, files: Mapping[str, Any]) -> list[str]:
    """Files (and links) in a study's folder that `study.json` does not list."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    relative = (path.relative_to(folder).as_posix() for path in found)
    return [path for path in relative if path not in files and path != DOCUMENT_FILE]


def _content_problems(folder: Path, path: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Problems of one listed file, which is there and has the size stored."""
    with (folder / path).open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    if checksum != data["files"][path]["sha256"]:
        yield f"{path}: its checksum is not the one stored"
        return
    shape = shape_from_json(data["backbone"]["shape"])
    if path == FACTORS_FILE:
        arrays = tensors(read_bytes(folder, path), path)
        yield from factor_problems(arrays, shape)
        ranking = {key.partition("/")[0] for key in arrays} - {"pieces", "pooler", "head_gradient"}
        for percent, selection in data["selections"].items():
            if selection["criterion"] not in ranking:
                yield f"{path}: criterion '{selection['criterion']}' of selections.{percent} is missing"
    elif path == MASKS_FILE:
        yield from mask_problems(tensors(read_bytes(folder, path), path), shape, data["selections"])
    elif path.endswith(".safetensors"):
        yield from _weights_problems(folder, path, data)
    elif path.endswith(".jsonl"):
        rows = [parse_json(line, path) for line in read_bytes(folder, path).splitlines() if line.strip()]
        if path == HISTORY_FILE and not all(
            isinstance(row, dict) and isinstance(row.get("stage"), str) for row in rows
        ):
            yield f"{path}: a line is not an object with a stage"
    elif path.endswith(".json"):
        parse_json(read_bytes(folder, path), path)


def _weights_problems(folder: Path, path: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Whether a weights file can be opened and, a slim network's, holds as many parameters as stated."""
    stored = 0
    try:
        with safe_open(folder / path, framework="numpy") as tensors_of_file:
            for key in tensors_of_file.keys():  # noqa: SIM118  (the handle is no mapping)
                part = tensors_of_file.get_slice(key)
                stored += math.prod(part.get_shape()) if part.get_dtype() in FLOATS else 0
    except (SafetensorError, ValueError) as error:
        yield f"{path}: not a safetensors file: {error}"
        return
    variant, _, name = path.partition("/")
    match = VARIANT.fullmatch(variant)
    if match and match[1] in data["selections"] and name == "model.safetensors":
        expected = data["selections"][match[1]]["parameters"]["total"]
        if stored != expected:
            yield f"{path}: holds {stored} parameters, expected {expected}"


def _shipping_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """Weights that are said to ship but are not listed, and folders that belong to no variant."""
    folders = {path.partition("/")[0] for path in data["files"] if path not in CORE_FILES}
    variants = {row["variant"] for row in data["results"]}
    for row in data["results"]:
        if row["shipped"] and row["variant"] not in folders:
            yield f"results {row['variant']} on {row['split']}: said to be shipped, but no weights are listed"
    for folder in sorted(folders - variants):
        yield f"{folder}: belongs to no variant with results"
