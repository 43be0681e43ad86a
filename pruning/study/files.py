"""Files of a study folder: which paths may be in one, and how they are read without trusting them (no torch)."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from pruning.errors import StoreError, one_line
from pruning.study.document import FileRecord

DOCUMENT_FILE, FACTORS_FILE, MASKS_FILE, HISTORY_FILE = (
    "study.json",
    "factors.safetensors",
    "masks.safetensors",
    "history.jsonl",
)
CORE_FILES = (FACTORS_FILE, MASKS_FILE, HISTORY_FILE)
SUFFIXES = (".json", ".jsonl", ".safetensors", ".md", ".txt")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
MEBIBYTE = 2**20
MAX_BYTES = {DOCUMENT_FILE: 16 * MEBIBYTE, FACTORS_FILE: 256 * MEBIBYTE, MASKS_FILE: 256 * MEBIBYTE}
MAX_BYTES_OTHER = 64 * MEBIBYTE  # of any other file that is read whole (history, tokenizer, config)


def named(folder: Path | str) -> Path:
    """A folder whose last part is its name, also where a user stands in it and calls it "."."""
    folder = Path(folder)
    return folder.resolve() if folder.name in ("", "..") else folder


def path_problem(path: str) -> str | None:
    """Why a path in ``files`` is not acceptable, or None."""
    pure = PurePosixPath(path)
    plain = path == str(pure) and not pure.is_absolute() and "\\" not in path and ":" not in path
    if not plain or not pure.parts or any(part.startswith(".") for part in pure.parts) or not path.isprintable():
        return f"study.json: files: path {path!r}, expected a plain relative path inside the study"
    if pure.suffix not in SUFFIXES or path == DOCUMENT_FILE:
        return f"study.json: files: {path!r} does not belong in a study, expected {', '.join(SUFFIXES)}"
    return None


def size_problems(folder: Path, files: Mapping[str, FileRecord], weights_needed: bool) -> Iterator[str]:
    """Files that are missing, of another size, or not files of this folder."""
    for path, stored in files.items():
        try:
            found = regular_size(folder, path)
        except FileNotFoundError:
            if weights_needed or path in CORE_FILES:
                yield f"{path}: missing"
            continue
        except OSError as error:
            yield f"{path}: {reason_of(error)}"
            continue
        if found != stored.bytes:
            yield f"{path}: {found} bytes, expected {stored.bytes}"


def unlisted_files(folder: Path, files: Mapping[str, Any]) -> list[str]:
    """Files (and links) in a study's folder that `study.json` does not list."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    relative = (path.relative_to(folder).as_posix() for path in found)
    return [path for path in relative if path not in files and path != DOCUMENT_FILE]


def regular_size(folder: Path, path: str) -> int:
    """Size of a regular file reached without following any link below `folder`; OSError otherwise."""
    parts = PurePosixPath(path).parts
    status = folder.lstat()
    for depth in range(1, len(parts) + 1):
        status = folder.joinpath(*parts[:depth]).lstat()
        wanted = stat.S_ISREG if depth == len(parts) else stat.S_ISDIR
        if not wanted(status.st_mode):
            raise OSError(
                "is a link, which a study may not hold" if stat.S_ISLNK(status.st_mode) else "is no plain file"
            )
    return status.st_size


def reason_of(error: OSError) -> str:
    """What the system says went wrong, without the path."""
    return error.strerror or str(error)


def read_bytes(folder: Path, path: str) -> bytes:
    """A study's file as bytes; StoreError where it is missing, no plain file, or far too large to be one."""
    limit = MAX_BYTES.get(path, MAX_BYTES_OTHER)
    try:
        size = regular_size(folder, path)
        if size > limit:
            raise StoreError(f"{folder}: {path} has {size} bytes, expected at most {limit}")
        return folder.joinpath(path).read_bytes()
    except FileNotFoundError:
        what = path if folder.is_dir() else "no such folder"
        raise StoreError(f"{folder}: {what}{' is missing' if what == path else ''}") from None
    except OSError as error:
        raise StoreError(f"{folder}: {path} cannot be read: {reason_of(error)}") from error


def parse_json(content: bytes, where: str) -> Any:
    """JSON without NaN and infinity; StoreError otherwise."""
    try:
        return msgspec.json.decode(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{where}: not JSON that a study may hold: {one_line(error, 120)}") from None


def tensors(content: bytes, where: str) -> dict[str, np.ndarray]:
    """Arrays of a safetensors file; StoreError where it cannot be read."""
    try:
        return load_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError) as error:
        raise StoreError(f"{where}: not a safetensors file: {one_line(error, 120)}") from None
