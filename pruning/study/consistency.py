"""Which stored numbers must agree with each other (no torch, no files); each disagreement is one line.

`arithmetic_problems` recomputes densities, retentions and parameter counts; `factor_problems` and `mask_problems`
check the stored arrays against the backbone's shape and the selections.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from pruning.bert.shapes import BertShape, Masks, Site, network_shape
from pruning.errors import SelectionError
from pruning.study.document import VARIANT, network_from_json, parameters_to_json, ratio, shape_from_json

TOLERANCE = 1e-3  # stored ratios and metrics may be rounded to three decimals
Arrays = Mapping[str, np.ndarray]


def _differs(stored: float | None, expected: float | None) -> bool:
    if stored is None or expected is None:
        return stored is not expected
    return not math.isclose(stored, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def arithmetic_problems(data: Mapping[str, Any], main_metric: str, floor_split: str) -> list[str]:
    """Stored numbers that do not follow from each other. `data` must have passed `document_problems`.

    Args:
        data: the document.
        main_metric: the metric that retention is about.
        floor_split: the split that ``floor`` was counted on; retention above floor is checked there only.
    """
    shape = shape_from_json(data["backbone"]["shape"])
    dense = parameters_to_json(shape.network())
    networks = {"teacher": dense}
    problems = []
    for percent, selection in data["selections"].items():
        where = f"selections.{percent}"
        network = network_from_json(selection["network"])
        networks[percent] = parameters_to_json(network)
        stored = {key: selection[key] for key in ("rank", "pieces", "positions", "hidden", "pooler")}
        widths = (network.rank, network.vocabulary, network.positions, network.hidden, network.pooler)
        for (key, value), expected in zip(stored.items(), widths, strict=True):
            if value != expected:
                problems.append(f"{where}.{key}: {value}, but its network has {expected}")
        problems += _density_problems(selection, where, networks[percent], dense)
    teachers = {(row["split"], row["seed"]): row for row in data["results"] if row["variant"] == "teacher"}
    for row in data["results"]:
        where = f"results {row['variant']} on {row['split']}"
        match = VARIANT.fullmatch(row["variant"])
        percent = match[1] if match else None
        problems += _density_problems(row, where, networks[percent or "teacher"], dense)
        metrics, correct = row["metrics"], row["correct"]
        if correct is not None and "accuracy" in metrics and row["count"] > 0:
            share = correct / row["count"]
            if _differs(metrics["accuracy"], share):
                problems.append(f"{where}: accuracy {metrics['accuracy']}, but {correct} of {row['count']} correct")
        if main_metric not in metrics:
            problems.append(f"{where}: metric '{main_metric}' is missing")
            continue
        teacher = teachers.get((row["split"], row["seed"]))
        if teacher is None:
            problems.append(f"{where}: no teacher's result on the same split and seed to compare with")
            continue
        pair = metrics[main_metric], teacher["metrics"].get(main_metric)
        expected = {"retention": ratio(*pair)}
        floor = data["floor"].get(main_metric)
        if row["split"] == floor_split and floor is not None:
            expected["retention_above_floor"] = ratio(*pair, floor)
        for key, value in expected.items():
            if _differs(row[key], value):
                problems.append(f"{where}: {key} {row[key]}, expected {_rounded(value)} from the stored metrics")
    return problems


def _rounded(value: float | None) -> str:
    return "null" if value is None else f"{value:.4f}"


def _density_problems(
    row: Mapping[str, Any], where: str, expected: Mapping[str, int], dense: Mapping[str, int]
) -> list[str]:
    """Counts against the network's shape, densities against the counts."""
    problems = []
    for key, value in expected.items():
        if row["parameters"][key] != value:
            problems.append(f"{where}: parameters.{key} {row['parameters'][key]}, but its network has {value}")
    for key, component in (("total_density", "total"), ("encoder_density", "encoder")):
        density = row["parameters"][component] / dense[component]
        if abs(row[key] - density) > TOLERANCE * max(density, 0.01):
            problems.append(f"{where}: {key} {row[key]}, expected {density:.6f} from the stored parameters")
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


def factor_problems(arrays: Arrays, shape: BertShape) -> list[str]:
    """Problems of what ``factors.safetensors`` holds."""
    where = "factors.safetensors"
    wanted: dict[str, tuple[type, tuple[int, ...]]] = {
        "pieces/counts": (np.int32, (shape.vocabulary,)),
        "pieces/protected": (np.uint8, (shape.vocabulary,)),
        "pieces/spectrum": (np.float32, (shape.hidden,)),
        "pooler/importance": (np.float32, (shape.pooler,)),
    }
    problems = []
    for key in arrays:
        criterion, _, site = key.partition("/")
        if criterion in ("pieces", "pooler"):
            if key not in wanted:
                problems.append(f"{where}: '{key}' is not known")
        elif site not in set(Site):
            problems.append(f"{where}: '{key}' names no site, expected one of {', '.join(Site)}")
        else:
            per_head = criterion == "head_gradient"
            wanted[key] = (np.float32, (shape.layers, shape.heads) if per_head else shape.units(Site(site)))
    if all(key.startswith(("pieces/", "pooler/", "head_gradient/")) for key in wanted):
        problems.append(f"{where}: no criterion ranks units, expected at least one, such as 'alpha'")
    found = (_array_problem(arrays, key, where, dtype, units) for key, (dtype, units) in wanted.items())
    return problems + [problem for problem in found if problem]


def masks_from_arrays(arrays: Arrays, percent: str) -> Masks:
    """The masks stored for one budget; KeyError where one is missing."""
    return Masks(**{site.value: arrays[f"{percent}/{site}"].astype(bool) for site in Site})


def mask_problems(arrays: Arrays, shape: BertShape, selections: Mapping[str, Any]) -> list[str]:
    """Problems of what ``masks.safetensors`` holds, given ``selections`` of `study.json`."""
    where = "masks.safetensors"
    problems = []
    expected = {f"{percent}/{part}" for percent in selections for part in (*Site, "pooler", "pieces")}
    problems += [f"{where}: '{key}' is not known" for key in sorted(set(arrays) - expected)]
    for percent, selection in selections.items():
        pieces = arrays.get(f"{percent}/pieces")
        kept = pieces.shape if pieces is not None and pieces.ndim == 1 else (selection["pieces"],)
        wanted = {f"{percent}/{site}": (np.uint8, shape.units(site)) for site in Site}
        wanted |= {f"{percent}/pooler": (np.uint8, (shape.pooler,)), f"{percent}/pieces": (np.int32, kept)}
        found = [_array_problem(arrays, key, where, dtype, units) for key, (dtype, units) in wanted.items()]
        found = [problem for problem in found if problem]
        problems += found
        if found or pieces is None:
            continue
        if any(int(arrays[key].max(initial=0)) > 1 for key in wanted if not key.endswith("/pieces")):
            problems.append(f"{where}: '{percent}/...' holds values other than 0 and 1")
            continue
        inside = pieces.size == 0 or (pieces[0] >= 0 and pieces[-1] < shape.vocabulary)
        if not inside or (np.diff(pieces) <= 0).any():
            problems.append(f"{where}: '{percent}/pieces' is not a sorted list of the vocabulary's numbers")
        network = network_from_json(selection["network"])
        try:
            masks = masks_from_arrays(arrays, percent).check(shape)
        except SelectionError as error:
            problems.append(f"{where}: {error}")
            continue
        built = network_shape(
            shape,
            masks,
            vocabulary=len(pieces),
            rank=network.rank,
            positions=network.positions,
            pooler=max(1, int(arrays[f"{percent}/pooler"].sum())),
        )
        if built != network:
            differing = [f.name for f in fields(built) if getattr(built, f.name) != getattr(network, f.name)]
            problems.append(f"{where}: '{percent}/...' gives another {', '.join(differing)} than selections.{percent}")
    return problems
