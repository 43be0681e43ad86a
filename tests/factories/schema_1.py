"""A document as schema 1 wrote it: the inverse of `pruning.study.upgrade`, for tests."""

from __future__ import annotations

from typing import Any

from pruning.config import FLAT_NAMES
from pruning.records import to_plain
from pruning.study.document import Document
from pruning.study.upgrade import SELECTION_EXTRAS


def as_schema_1(document: Document) -> dict[str, Any]:
    """The inverse of `from_schema_1`."""
    data, seed = to_plain(document), document.provenance.seed
    flat = {dotted: name for name, dotted in FLAT_NAMES.items()}
    config: dict[str, Any] = {}
    for later in ("stages", "least_squares", "ablation_rows", "teacher_from"):  # which nobody could choose then
        del data["config"][later]
    for name, value in data["config"].items():
        if name == "selection" or not isinstance(value, dict):
            config[name] = value
        else:
            spelled = {flat.get(f"{name}.{setting}"): inner for setting, inner in value.items()}
            config |= {setting: inner for setting, inner in spelled.items() if setting is not None}
    config.pop("budget_kind", None)
    data |= {"schema": 1, "config": config}
    for row, result in zip(data["results"], document.results, strict=True):
        row |= {"variant": str(result.variant), "seed": seed if result.variant.seed is None else result.variant.seed}
        del row["selection"]
    for row, speed in zip(data["speed"], document.speed, strict=True):
        row["variant"] = str(speed.variant)
    for selection in data["selections"].values():
        network = selection["network"]
        extras = {name: network["vocabulary" if name == "pieces" else name] for name in SELECTION_EXTRAS}
        selection |= extras
    return data
