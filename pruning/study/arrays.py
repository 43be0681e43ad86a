"""Arrays of a study folder, each kind's encoder beside its decoder, and what they must hold (no torch)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import save as pack_tensors

from pruning.bert.shapes import BertShape, Masks, Site, network_shape
from pruning.errors import SelectionError, StoreError
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.importance.registry import HEAD_CRITERIA
from pruning.selection.select import Selection
from pruning.study.document import SelectionRecord
from pruning.study.files import FACTORS_FILE, HISTORY_FILE, MASKS_FILE, one_line, tensors

CRITERION = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
NOT_CRITERIA = ("pieces", "pooler")
Arrays = Mapping[str, np.ndarray]
HistoryRow = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Cut:
    """What a stored budget keeps.

    Attributes:
        masks: surviving units per site.
        pieces: sorted vocabulary ids, int64.
        pooler: (pooler,) bool.
    """

    masks: Masks
    pieces: np.ndarray
    pooler: np.ndarray


def _packed(arrays: Arrays) -> bytes:
    return pack_tensors({key: np.ascontiguousarray(array) for key, array in arrays.items()})


# Importance factors


def encode_factors(factors: ImportanceFactors) -> bytes:
    """Factors as ``factors.safetensors`` holds them."""
    arrays: dict[str, np.ndarray] = {
        f"{criterion}/{site.value}": values.astype(np.float32)
        for criterion, sites in factors.by_criterion.items()
        for site, values in sites.items()
    }
    arrays["pieces/counts"] = factors.pieces.counts.astype(np.int32)
    arrays["pieces/protected"] = factors.pieces.protected.astype(np.uint8)
    arrays["pieces/spectrum"] = factors.pieces.spectrum.astype(np.float32)
    arrays["pooler/importance"] = factors.pooler.astype(np.float32)
    return _packed(arrays)


def decode_factors(content: bytes, shape: BertShape) -> ImportanceFactors:
    """The inverse of `encode_factors`.

    Raises:
        StoreError: one line, if they are not a network's of this shape.
    """
    arrays = tensors(content, FACTORS_FILE)
    for problem in factor_problems(arrays, shape):
        raise StoreError(problem)
    by_criterion: dict[str, dict[Site, np.ndarray]] = {}
    for key, array in arrays.items():
        criterion, _, site = key.partition("/")
        if criterion not in NOT_CRITERIA:
            by_criterion.setdefault(criterion, {})[Site(site)] = array
    pieces = TablePieces(arrays["pieces/counts"], arrays["pieces/protected"].astype(bool), arrays["pieces/spectrum"])
    return ImportanceFactors(shape, by_criterion, pieces, arrays["pooler/importance"])


def factor_problems(arrays: Arrays, shape: BertShape) -> list[str]:
    """What is wrong with the arrays of ``factors.safetensors``, a line each."""
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "pieces/counts": (np.int32, (shape.vocabulary,)),
        "pieces/protected": (np.uint8, (shape.vocabulary,)),
        "pieces/spectrum": (np.float32, (shape.hidden,)),
        "pooler/importance": (np.float32, (shape.pooler,)),
    }
    problems = []
    for key in arrays:
        criterion, _, site = key.partition("/")
        if criterion in NOT_CRITERIA or not CRITERION.fullmatch(criterion):
            if key not in wanted:
                problems.append(f"{FACTORS_FILE}: '{key}' is not known")
        elif site not in set(Site):
            problems.append(f"{FACTORS_FILE}: '{key}' names no site, expected one of {', '.join(Site)}")
        else:
            units = (shape.layers, shape.heads) if criterion in HEAD_CRITERIA else shape.units(Site(site))
            wanted[key] = (np.float32, units)
    if not ranking_criteria(arrays):
        problems.append(f"{FACTORS_FILE}: no criterion ranks units, expected at least one, such as 'alpha'")
    found = (_array_problem(arrays, key, FACTORS_FILE, dtype, units) for key, (dtype, units) in wanted.items())
    return problems + [problem for problem in found if problem]


def ranking_criteria(arrays: Arrays) -> set[str]:
    """Criteria that a selection can rank units by."""
    return {key.partition("/")[0] for key in arrays} - {*NOT_CRITERIA, *HEAD_CRITERIA}


# What the stored budgets keep


def encode_cuts(selections: Mapping[str, Selection]) -> bytes:
    """Selections by budget as ``masks.safetensors`` holds them."""
    arrays: dict[str, np.ndarray] = {}
    for key, selection in selections.items():
        arrays |= {f"{key}/{site.value}": mask.astype(np.uint8) for site, mask in selection.masks.items()}
        arrays[f"{key}/pooler"] = selection.pooler.astype(np.uint8)
        arrays[f"{key}/pieces"] = selection.pieces.astype(np.int32)
    return _packed(arrays)


def decode_cuts(content: bytes, shape: BertShape, selections: Mapping[str, SelectionRecord]) -> dict[str, Cut]:
    """The inverse of `encode_cuts`.

    Raises:
        StoreError: one line, if they are not these selections'.
    """
    arrays = tensors(content, MASKS_FILE)
    for problem in cut_problems(arrays, shape, selections):
        raise StoreError(problem)
    return {key: _cut(arrays, key) for key in selections}


def _cut(arrays: Arrays, key: str) -> Cut:
    masks = Masks(**{site.value: arrays[f"{key}/{site}"].astype(bool) for site in Site})
    return Cut(masks, arrays[f"{key}/pieces"].astype(np.int64), arrays[f"{key}/pooler"].astype(bool))


def cut_problems(arrays: Arrays, shape: BertShape, selections: Mapping[str, SelectionRecord]) -> list[str]:
    """What is wrong with the arrays of ``masks.safetensors``, a line each."""
    expected = {f"{key}/{part}" for key in selections for part in (*Site, "pooler", "pieces")}
    problems = [f"{MASKS_FILE}: '{key}' is not known" for key in sorted(set(arrays) - expected)]
    for key, selection in selections.items():
        pieces = arrays.get(f"{key}/pieces")
        kept = pieces.shape if pieces is not None and pieces.ndim == 1 else (selection.network.vocabulary,)
        wanted = {f"{key}/{site}": (np.uint8, shape.units(site)) for site in Site}
        wanted |= {f"{key}/pooler": (np.uint8, (shape.pooler,)), f"{key}/pieces": (np.int32, kept)}
        found = [_array_problem(arrays, name, MASKS_FILE, dtype, units) for name, (dtype, units) in wanted.items()]
        found = [problem for problem in found if problem]
        if any(int(arrays[name].max(initial=0)) > 1 for name in wanted if not found and not name.endswith("/pieces")):
            found.append(f"{MASKS_FILE}: '{key}/...' holds values other than 0 and 1")
        problems += found or _kept_problems(_cut(arrays, key), key, shape, selection)
    return problems


def _kept_problems(cut: Cut, key: str, shape: BertShape, selection: SelectionRecord) -> list[str]:
    """Whether what is kept is the network that the selection describes."""
    problems = []
    pieces, network = cut.pieces, selection.network
    inside = pieces.size == 0 or (pieces[0] >= 0 and pieces[-1] < shape.vocabulary)
    if not inside or (np.diff(pieces) <= 0).any():
        problems.append(f"{MASKS_FILE}: '{key}/pieces' is not a sorted list of the vocabulary's numbers")
    try:
        masks = cut.masks.check(shape)
    except SelectionError as error:
        return [*problems, f"{MASKS_FILE}: {error}"]
    built = network_shape(
        shape,
        masks,
        vocabulary=len(pieces),
        rank=network.rank,
        positions=network.positions,
        pooler=max(1, int(cut.pooler.sum())),
    )
    if built != network:
        differing = [f.name for f in fields(built) if getattr(built, f.name) != getattr(network, f.name)]
        problems.append(f"{MASKS_FILE}: '{key}/...' gives another {', '.join(differing)} than selections.{key}")
    return problems


def _array_problem(arrays: Arrays, key: str, where: str, dtype: type, shape: tuple[int, ...]) -> str | None:
    array = arrays.get(key)
    if array is None:
        return f"{where}: '{key}' is missing"
    if array.dtype != dtype or array.shape != shape:
        return f"{where}: '{key}' is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return f"{where}: '{key}' holds values that are not finite"
    return None


# What training reported


class _Stage(msgspec.Struct):
    stage: str


def encode_history(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as ``history.jsonl`` holds them; numbers that are not finite become null."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        raise StoreError(f"{HISTORY_FILE}: found {type(value).__name__}, expected plain values")

    return b"".join(msgspec.json.encode(row, enc_hook=plain) + b"\n" for row in rows)


def decode_history(content: bytes) -> list[HistoryRow]:
    """The inverse of `encode_history`.

    Raises:
        StoreError: one line, if a line is not an object with a stage.
    """
    try:
        lines = [line for line in content.splitlines() if line.strip()]
        for line in lines:
            msgspec.json.decode(line, type=_Stage)
        return [msgspec.json.decode(line, type=dict[str, str | int | float | bool | None]) for line in lines]
    except msgspec.ValidationError as error:
        raise StoreError(f"{HISTORY_FILE}: a line is not an object with a stage: {one_line(error, 120)}") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{HISTORY_FILE}: not JSON: {one_line(error, 120)}") from None
