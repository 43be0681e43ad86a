"""`study.json` of schema 1 as schema 2, its numbers unchanged.

Schema 1 spelled variants as strings with a seed beside them, and kept all settings in one flat object.
"""

from __future__ import annotations

import shlex
from pathlib import Path, PurePath
from typing import Any

import msgspec

from pruning.config import StudyConfig, with_settings
from pruning.errors import SlimVizError, StoreError
from pruning.records import to_plain
from pruning.study.atomic import present_folder
from pruning.study.document import BEFORE_STAGES, SCHEMA, Document, decode
from pruning.study.files import DOCUMENT_FILE, named, one_line, parse_json, read_bytes, size_problems
from pruning.study.verify import document_problems
from pruning.study.write import rewrite_document
from pruning.variants import Variant

SELECTION_EXTRAS = ("rank", "pieces", "positions", "hidden", "pooler")  # stood beside the network that holds them


def upgrade_study(folder: Path | str) -> bool:
    """Convert a stored study of schema 1 in place; weights, arrays and numbers stay as they are.

    Returns:
        Whether there was something to convert.

    Raises:
        StoreError: one line; the study is as it was.
    """
    folder = named(folder)
    if _upgraded(folder) is None:  # which needs no right to write
        return False
    return rewrite_document(folder, lambda: _upgraded(folder))


def _upgraded(folder: Path) -> Document | None:
    """The document of a study of schema 1 as it will be stored; None where it is at the newest schema."""
    present = present_folder(folder)
    data = parse_json(read_bytes(present, DOCUMENT_FILE), f"{folder}: {DOCUMENT_FILE}")
    if isinstance(data, dict) and data.get("schema") == SCHEMA:
        return None
    try:
        document = from_schema_1(data)
    except StoreError as error:
        raise StoreError(f"{folder}: {error}") from None
    problems = document_problems(document, folder.name)
    problems += size_problems(present, document.files, weights_needed=False)
    if problems:
        raise StoreError(f"{folder}: not converted, it would not be a valid study: {one_line(problems[0])}")
    return document


def from_schema_1(data: Any) -> Document:
    """A document of schema 1 as a typed one; StoreError in one line where it is none."""
    if not isinstance(data, dict) or data.get("schema") != 1:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise StoreError(f"study.json: schema {found!r:.40}, expected 1")
    try:
        values = _converted(data)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, SlimVizError) as error:
        reason = str(error) if isinstance(error, SlimVizError) else f"{type(error).__name__}: {error}"
        raise StoreError(f"study.json: not of schema 1: {one_line(reason, 160)}") from None
    return decode(msgspec.json.encode(values))


def _converted(data: dict[str, Any]) -> dict[str, Any]:
    seed = data["provenance"]["seed"]
    name = _plain_name(data["backbone"]["name"])
    provenance = dict(data["provenance"])
    if isinstance(provenance["command"], list):
        provenance["command"] = shlex.join(map(str, provenance["command"]))
    if isinstance(provenance["hardware"], dict):
        provenance["hardware"] = ", ".join(map(str, provenance["hardware"].values()))
    provenance["seconds"] = {stage: value for stage, value in provenance["seconds"].items() if value is not None}
    selections = {
        key: {name: value for name, value in selection.items() if name not in SELECTION_EXTRAS}
        for key, selection in data["selections"].items()
    }
    for key, selection in data["selections"].items():
        _check_extras(key, selection)
    return data | {
        "schema": SCHEMA,
        "backbone": data["backbone"] | {"name": name},
        "config": to_plain(_config(data["config"], name)),
        "provenance": provenance,
        "selections": selections,
        "results": [_result(row, seed) for row in data["results"]],
        "speed": [row | {"variant": to_plain(Variant.parse(row["variant"]))} for row in data["speed"]],
    }


def _config(settings: dict[str, Any], backbone: str) -> StudyConfig:
    values = {name: value for name, value in settings.items() if name != "selection"}
    values |= {f"selection.{name}": value for name, value in settings["selection"].items()}
    return with_settings(StudyConfig(), BEFORE_STAGES | values | {"backbone": backbone})


def _plain_name(name: str) -> str:
    """A backbone's name; of a folder, which schema 1 remembered by its path, the last part."""
    return PurePath(name).name if len(PurePath(name).parts) != 2 or PurePath(name).is_absolute() else name


def _check_extras(key: str, selection: dict[str, Any]) -> None:
    """What stood twice must agree before one of the two is dropped."""
    network = selection["network"]
    for name in SELECTION_EXTRAS:
        held = network["vocabulary" if name == "pieces" else name]
        if selection[name] != held:
            raise StoreError(f"selections.{key}.{name}: {selection[name]}, but its network has {held}")


def _result(row: dict[str, Any], study_seed: int) -> dict[str, Any]:
    """A result with its variant as a type; a seed of its own only where it is not the study's."""
    variant = Variant.parse(row["variant"])
    if row["seed"] != study_seed:
        variant = variant.replace(seed=row["seed"])
    rest = {key: value for key, value in row.items() if key != "seed"}
    return rest | {"variant": to_plain(variant), "selection": variant.budget}
