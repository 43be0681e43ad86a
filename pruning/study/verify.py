"""Everything about a stored study that can be checked without running it (no torch).

Paths and file set, checksums, JSON and safetensors readable, arrays against the backbone's shape, counts against the
networks' shapes, ratios against what they are ratios of.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from pruning.bert.shapes import Site
from pruning.errors import StoreError
from pruning.study.arrays import cut_problems, decode_history, factor_problems, ranking_criteria
from pruning.study.atomic import present_folder
from pruning.study.consistency import arithmetic_problems, name_problems, reference_problems
from pruning.study.document import Document
from pruning.study.files import (
    CORE_FILES,
    FACTORS_FILE,
    HISTORY_FILE,
    MASKS_FILE,
    NAME,
    named,
    one_line,
    parse_json,
    read_bytes,
    reason_of,
    regular_size,
    size_problems,
    tensors,
    unlisted_files,
)
from pruning.study.read import read_document

FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class Checksum:
    """A listed file's sha256 as stored and as it is now.

    Attributes:
        path: inside the study's folder.
        stored: in `study.json`.
        found: of the file that is there; None where it cannot be read.
        reason: why it cannot be read.
    """

    path: str
    stored: str
    found: str | None
    reason: str | None = None


def checksums(folder: Path, document: Document) -> list[Checksum]:
    """The checksum of every listed file, computed anew. Never raises."""
    rows = []
    for path, file in document.files.items():
        found = reason = None
        try:
            regular_size(folder, path)  # no links
            found = _sha256(folder, path)
        except OSError as error:
            reason = reason_of(error)
        rows.append(Checksum(path, file.sha256, found, reason))
    return rows


def verify(folder: Path | str) -> list[str]:
    """Problems of a stored study, one line each; empty where all is well. Never raises."""
    folder = named(folder)
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
        document, problems = read_document(folder, name)
    except StoreError as error:
        return [str(error).removeprefix(f"{folder}: ")]
    if problems:
        return problems
    problems = list(size_problems(folder, document.files, weights_needed=True))
    problems += [f"{path}: not listed in study.json" for path in unlisted_files(folder, document.files)]
    damaged = {problem.partition(":")[0] for problem in problems}
    for path in document.files:
        if path in damaged:
            continue
        try:
            problems += _content_problems(folder, path, document)
        except StoreError as error:
            problems.append(str(error).removeprefix(f"{folder}: "))
        except OSError as error:
            problems.append(f"{path}: cannot be read: {reason_of(error)}")
    return [*problems, *arithmetic_problems(document), *_shipping_problems(document)]


def document_problems(document: Document, name: str) -> list[str]:
    """Problems of a document alone, for the study called `name`."""
    problems = name_problems(document, name) + reference_problems(document)
    return problems or [*arithmetic_problems(document), *_shipping_problems(document)]


def _content_problems(folder: Path, path: str, document: Document) -> Iterator[str]:
    """Problems of one listed file, which is there and has the size stored."""
    if _sha256(folder, path) != document.files[path].sha256:
        yield f"{path}: its checksum is not the one stored"
        return
    shape = document.backbone.shape
    if path == FACTORS_FILE:
        arrays = tensors(read_bytes(folder, path), path)
        yield from factor_problems(arrays, shape)
        for key, selection in document.selections.items():
            if selection.criterion not in ranking_criteria(arrays):
                yield f"{path}: criterion '{selection.criterion}' of selections.{key} is missing"
        stored = {key.partition("/")[0] for key in arrays if key.endswith(f"/{Site.ATTENTION_CONTEXT}")}
        for one in document.ablations:
            for name in sorted(one.curves.keys() - stored):
                yield f"{path}: criterion '{name}' of ablations {one.network} on {one.split} is missing"
    elif path == MASKS_FILE:
        yield from cut_problems(tensors(read_bytes(folder, path), path), shape, document.selections)
    elif path.endswith(".safetensors"):
        yield from _weights_problems(folder, path, document)
    elif path == HISTORY_FILE:
        decode_history(read_bytes(folder, path))
    elif path.endswith(".jsonl"):
        for line in read_bytes(folder, path).splitlines():
            if line.strip():
                parse_json(line, path)
    elif path.endswith(".json"):
        values = parse_json(read_bytes(folder, path), path)
        if isinstance(values, dict) and "auto_map" in values:
            yield f"{path}: names code to run (auto_map), which a study may not"


def _sha256(folder: Path, path: str) -> str:
    with (folder / path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _weights_problems(folder: Path, path: str, document: Document) -> Iterator[str]:
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
    row = next((row for row in document.results if str(row.variant) == variant), None)
    if row is not None and row.selection is not None and name == "model.safetensors":
        expected = document.selections[row.selection].parameters.total
        if stored != expected:
            yield f"{path}: holds {stored} parameters, expected {expected}"


def _shipping_problems(document: Document) -> Iterator[str]:
    """Weights that are said to ship but are not listed, and folders that belong to no variant."""
    folders = {path.partition("/")[0] for path in document.files if path not in CORE_FILES}
    for row in document.results:
        if row.shipped and str(row.variant) not in folders:
            yield f"results {row.variant} on {row.split}: said to be shipped, but no weights are listed"
    for folder in sorted(folders - {str(row.variant) for row in document.results}):
        yield f"{folder}: belongs to no variant with results"
