"""What `study.json` must hold, key by key, and how shapes are written in it (no torch, no files).

`document_problems` is enough to read a study safely; whether its numbers agree is `consistency`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pruning.bert.shapes import BertShape, LayerShape, NetworkShape, count_parameters
from pruning.measure.metrics import retention_above_floor

SCHEMA = 1
PERCENT = r"[0-9]{1,3}(?:\.[0-9]{1,9})?"
VARIANT = re.compile(rf"(?:teacher|(?:one-shot|slim)-({PERCENT}))")
MAX_LAYERS, MAX_WIDTH = 1000, 10_000_000  # so that arithmetic on a damaged shape stays cheap
COMPONENTS = ("embeddings", "encoder", "pooler", "head")


@dataclass(frozen=True)
class Maybe:
    """The inner pattern, or null."""

    pattern: Any


@dataclass(frozen=True)
class Each:
    """An object with any keys, whose values all follow the inner pattern."""

    pattern: Any


# Patterns: a type (or a tuple of types), a dict (an object with these keys; "key?" may be absent), a one-element list.
NUMBER = (int, float)
SHA256 = re.compile(r"[0-9a-f]{64}")
PARAMETERS = dict.fromkeys((*COMPONENTS, "total"), int)
NETWORK = {field.name: int for field in fields(NetworkShape)} | {
    "rank": Maybe(int),
    "layers": [{field.name: int for field in fields(LayerShape)}],
}
SELECTION = {
    "budget": {"kind": str, "value": NUMBER},
    "criterion": str,
    "settings": dict,
    "total_density": NUMBER,
    "encoder_density": NUMBER,
    "parameters": PARAMETERS,
    "rank": Maybe(int),
    "pieces": int,
    "positions": int,
    "hidden": int,
    "pooler": int,
    "network": NETWORK,
}
RESULT = {
    "variant": str,
    "split": str,
    "seed": int,
    "count": int,
    "correct": Maybe(int),
    "metrics": Each(Maybe(NUMBER)),
    "interval?": Maybe(
        {"metric": str, "difference": NUMBER, "low": Maybe(NUMBER), "high": Maybe(NUMBER), "resamples": int}
    ),
    "retention": Maybe(NUMBER),
    "retention_above_floor": Maybe(NUMBER),
    "parameters": PARAMETERS,
    "total_density": NUMBER,
    "encoder_density": NUMBER,
    "index_buffers": Maybe(int),
    "index_bytes": Maybe(int),
    "flops": Maybe({"length": int, "total": int}),
    "flop_ratio": Maybe(NUMBER),
    "size_bytes": Maybe(int),
    "tokens_per_text": Maybe(NUMBER),
    "truncated_share": Maybe(NUMBER),
    "peak_memory_bytes": Maybe(int),
    "shipped": bool,
}
SPEED = {
    "variant": str,
    "device": str,
    "threads": int,
    "batch": int,
    "length": (int, str),
    "median_ms": NUMBER,
    "p95_ms": NUMBER,
    "speedup": NUMBER,
    "runs": int,
}
DOCUMENT = {
    "schema": int,
    "name": str,
    "task": dict,
    "backbone": {
        "name": str,
        "source": str,
        "sha256": SHA256,
        "shape": {field.name: int for field in fields(BertShape)},
    },
    "config": dict,
    "provenance": {
        "command": (str, list),
        "commit": Maybe(str),
        "seed": int,
        "date": str,
        "hardware": (str, dict),
        "threads": int,
        "libraries": Each(str),
        "data": {"source": str, "train": Maybe({"rows": int, "sha256": str}), "validation": Maybe(dict)},
        "seconds": Each(Maybe(NUMBER)),
    },
    "floor": Each(Maybe(NUMBER)),
    "selections": Each(SELECTION),
    "smallest_total_density": NUMBER,
    "results": [RESULT],
    "speed": [SPEED],
    "files": Each({"sha256": SHA256, "bytes": int}),
}


def _kinds(pattern: Any) -> str:
    """A pattern in words, for messages."""
    if isinstance(pattern, re.Pattern):
        return "64 hexadecimal digits"
    if isinstance(pattern, tuple):
        return " or ".join(_kinds(one) for one in pattern)
    if isinstance(pattern, (dict, Each)):
        return "object"
    if isinstance(pattern, list):
        return "array"
    names = {int: "integer", float: "number", str: "string", bool: "true or false", dict: "object", list: "array"}
    return names[pattern]


def _is(value: Any, kind: type) -> bool:
    """JSON's idea of a type: true is no integer."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _fits(value: Any, pattern: Any) -> bool:
    """Whether a value is of a pattern's kind, whatever it holds."""
    if isinstance(pattern, re.Pattern):
        return isinstance(value, str) and pattern.fullmatch(value) is not None
    if isinstance(pattern, (dict, Each)):
        return isinstance(value, dict)
    if isinstance(pattern, list):
        return isinstance(value, list)
    return any(_is(value, kind) for kind in (pattern if isinstance(pattern, tuple) else (pattern,)))


def _mismatches(value: Any, pattern: Any, where: str) -> Iterator[str]:
    """Yield a line for everything in `value` that does not follow `pattern`."""
    if isinstance(pattern, Maybe):
        if value is None:
            return
        pattern = pattern.pattern
    if not _fits(value, pattern):
        yield f"{where}: found {_shown(value)}, expected {_kinds(pattern)}"
    elif isinstance(pattern, dict):
        for key, inner in pattern.items():
            name = key.removesuffix("?")
            if name in value:
                yield from _mismatches(value[name], inner, f"{where}.{name}")
            elif name == key:
                yield f"{where}: key '{name}' is missing"
    elif isinstance(pattern, Each):
        for key, inner_value in value.items():
            yield from _mismatches(inner_value, pattern.pattern, f"{where}.{key}")
    elif isinstance(pattern, list):
        for index, inner_value in enumerate(value):
            yield from _mismatches(inner_value, pattern[0], f"{where}[{index}]")


def _shown(value: Any) -> str:
    """A value, short enough for one line."""
    text = type(value).__name__ if isinstance(value, (dict, list)) else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def document_problems(data: Any) -> list[str]:
    """Problems of `study.json` as a document: version, keys, JSON types, sensible shape."""
    if not isinstance(data, dict):
        return [f"study.json: found {_shown(data)}, expected an object"]
    if data.get("schema") != SCHEMA:
        return [f"study.json: schema is {_shown(data.get('schema'))}, expected {SCHEMA}"]
    problems = list(_mismatches(data, DOCUMENT, "study.json"))
    if problems:
        return problems
    shape = data["backbone"]["shape"]
    for field in fields(BertShape):
        if not 1 <= shape[field.name] <= (MAX_LAYERS if field.name == "layers" else MAX_WIDTH):
            where = f"study.json.backbone.shape.{field.name}"
            problems.append(f"{where}: found {shape[field.name]}, expected a sensible width")
    for percent in data["selections"]:
        if re.fullmatch(PERCENT, percent) is None:
            problems.append(
                f"study.json.selections: key {_shown(percent)}, expected a percentage such as '10' or '2.5'"
            )
    seen = set()
    for index, result in enumerate(data["results"]):
        where = f"study.json.results[{index}]"
        match = VARIANT.fullmatch(result["variant"])
        if match is None:
            problems.append(f"{where}: variant {_shown(result['variant'])}, expected teacher, one-shot-N or slim-N")
        elif match[1] is not None and match[1] not in data["selections"]:
            problems.append(f"{where}: variant {result['variant']} has no selection '{match[1]}'")
        key = (result["variant"], result["split"], result["seed"])
        if key in seen:
            problems.append(f"{where}: a second result for {key[0]} on {key[1]}, seed {key[2]}")
        seen.add(key)
    return problems


def shape_from_json(data: Mapping[str, Any]) -> BertShape:
    """The backbone's shape as stored."""
    return BertShape(**{field.name: data[field.name] for field in fields(BertShape)})


def network_to_json(shape: NetworkShape) -> dict[str, Any]:
    """A network's shape as stored under ``selections.<percent>.network``."""
    return asdict(shape) | {"layers": [asdict(layer) for layer in shape.layers]}


def network_from_json(data: Mapping[str, Any]) -> NetworkShape:
    """The inverse of `network_to_json`."""
    names = [field.name for field in fields(LayerShape)]
    values: dict[str, Any] = {field.name: data[field.name] for field in fields(NetworkShape)}
    values["layers"] = tuple(LayerShape(**{name: layer[name] for name in names}) for layer in data["layers"])
    return NetworkShape(**values)


def parameters_to_json(shape: NetworkShape) -> dict[str, int]:
    """Stored parameters by component, with their total, as stored in results and selections."""
    count = count_parameters(shape)
    return {name: getattr(count, name) for name in COMPONENTS} | {"total": count.total}


def ratio(part: float | None, whole: float | None, floor: float = 0.0) -> float | None:
    """Retention, and with a floor retention above it; None where a metric is unknown or there is nothing to retain."""
    return None if part is None or whole is None else retention_above_floor(part, whole, floor)
