"""Ways to damage a stored study: each takes the study's folder, or makes a function that does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.factories.study_document import edit, file_entry

Damage = Callable[[Path], Any]
DELETE: Any = object()


def seal(folder: Path) -> None:
    """Make the stored checksums fit the files, as whoever forges a study would."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "study.json")
    entries = {path.relative_to(folder).as_posix(): file_entry(path) for path in files}
    edit(folder, lambda document: document.update(files=entries))


def put(path: str, content: bytes) -> Damage:
    """Give a file other content, or make one."""

    def damage(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)

    return damage


def flip_a_bit(path: str) -> Damage:
    """Change a file's last byte."""

    def damage(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    return damage


def json_edit(path: str, **changes: Any) -> Damage:
    """Change keys of a JSON file."""
    return lambda folder: (folder / path).write_text(json.dumps(json.loads((folder / path).read_text()) | changes))


def array_edit(path: str, key: str, value: Any) -> Damage:
    """Put another array at a key of a safetensors file, fill what is there with a number, or take it away."""

    def damage(folder: Path) -> None:
        arrays = {name: array.copy() for name, array in load_file(folder / path).items()}
        if value is DELETE:
            del arrays[key]
        else:
            arrays[key] = value if isinstance(value, np.ndarray) else np.full_like(arrays[key], value)
        save_file(arrays, folder / path)

    return damage


def value_edit(path: str, value: Any) -> Damage:
    """Put another value at a path of `study.json`, "results/0/count", or take what is there away."""

    def change(place: Any) -> None:
        *above, last = path.split("/")
        for key in above:
            place = place[int(key) if isinstance(place, list) else key]
        last = int(last) if isinstance(place, list) else last
        if value is DELETE:
            del place[last]
        else:
            place[last] = value

    return lambda folder: edit(folder, change)
