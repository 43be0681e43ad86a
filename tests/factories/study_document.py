"""The document of a made-up study: the one place where tests build `study.json`.

Scores are made up; counts, densities and ratios are those of the selections.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert.shapes import BertShape
from pruning.config import StudyConfig
from pruning.data.tasks import TASKS, Task, official_rows
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import counts
from pruning.measure.intervals import retention, retention_above_floor
from pruning.records import to_plain
from pruning.selection.select import Selection, smallest_total_density
from pruning.selection.settings import SelectionSettings
from pruning.study.document import Parameters
from pruning.variants import Variant

SELECTION_SETTINGS = SelectionSettings(attention_preference=2.0)  # with 1, made-up factors leave hardly a head
ROWS = {task.name: official_rows(task.name, task.validation[0]) or 0 for task in TASKS.values()}
TEACHER = {"sst2": 0.905, "cola": 0.31, "mrpc": 0.80, "rte": 0.62, "stsb": 0.87, "mnli": 0.78, "wnli": 0.563}
FLOOR = {"sst2": 0.509, "cola": 0.0, "mrpc": 0.684, "rte": 0.527, "stsb": 0.0, "mnli": 0.354, "wnli": 0.563}
KEPT_ABOVE_FLOOR = {"50": 1.002, "25": 0.99, "10": 0.96, "5": 0.88, "2.5": 0.75}


def write_document(folder: Path, document: dict[str, Any]) -> None:
    """Write `study.json`, with size and checksum of every file that lies beside it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "study.json")
    document["files"] = {str(path.relative_to(folder)): file_entry(path) for path in files}
    (folder / "study.json").write_text(json.dumps(document, indent=1))


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Apply `change(document)` to a study's `study.json` in place."""
    path = folder / "study.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def made_by(folder: Path, method: str) -> None:
    """Have a study's networks be those of a rival method: its names, on the same numbers and masks."""
    for path in folder.glob("slim-*"):
        path.rename(folder / path.name.replace("slim", method))

    def rename(document: dict[str, Any]) -> None:
        document["config"]["method"] = method
        document["files"] = {
            path.replace("slim-", f"{method}-") if path.startswith("slim-") else path: entry
            for path, entry in document["files"].items()
        }
        for row in document["results"] + document["speed"]:
            if row["variant"]["method"] == "slim":
                row["variant"]["method"] = method

    edit(folder, rename)


def add_networks(document: dict[str, Any], seeds: Sequence[int] = (), *, solved: bool = False) -> None:
    """Results of further networks beside the recovered ones, by the budget.

    Args:
        document: changed in place.
        seeds: of further recoveries at 10 and 5%; each scores a hundredth less than the one before.
        solved: also those whose output matrices were solved, at all budgets; they score two hundredths less.
    """
    task, teacher = Task.from_json(document["task"]), document["results"][0]
    more = []
    for row in document["results"]:
        method, budget = row["variant"]["method"], row["variant"].get("budget")
        found = [{"method": "post-training", "budget": budget}] if solved and method == "slim" else []
        if method == "slim" and budget in ("10", "5"):
            found += [{"method": "slim", "budget": budget, "seed": seed} for seed in seeds]
        for place, variant in enumerate(found, start=not solved):
            again = json.loads(json.dumps(row)) | {"variant": variant, "shipped": False, "size_bytes": None}
            _lower(again, task, teacher, document["floor"], 0.02 if "seed" not in variant else 0.01 * place)
            more.append(again)
    document["results"] += more


def _lower(row: dict[str, Any], task: Task, teacher: dict[str, Any], floor: dict[str, float], by: float) -> None:
    """A lower main metric, and all that follows from it."""
    main, count = task.main_metric, row["count"]
    score = row["metrics"][main] - by
    if main == "accuracy":
        row["correct"] = round(score * count)
        score = row["correct"] / count
    row["metrics"][main] = score
    whole = teacher["metrics"][main]
    row["interval"] |= {"difference": score - whole, "low": score - whole - 0.01, "high": score - whole + 0.01}
    row["retention"], row["retention_above_floor"] = (
        retention(score, whole),
        retention_above_floor(score, whole, floor[main]),
    )


def add_ablations(document: dict[str, Any], best: str = "head_gradient", other: str = "alpha") -> None:
    """Curves of the teacher's heads on training and validation rows: one order is true, the other upside down."""
    shape, task = document["backbone"]["shape"], document["task"]
    gated = counts(shape["layers"] * shape["heads"])
    whole, floor = document["results"][0]["metrics"][task["metrics"][0]], document["floor"][task["metrics"][0]]
    share = np.array(gated) / gated[-1]

    def line(power: float) -> list[float]:
        return [floor + (whole - floor) * float(kept) for kept in 1 - share**power]

    curves = {
        best: {"least_first": line(4), "most_first": line(0.25)},
        other: {"least_first": line(0.5), "most_first": line(2)},
    }
    document["ablations"] = [
        {
            "network": "teacher",
            "split": split,
            "rows": rows,
            "sha256": "3" * 64,
            "seed": 0,
            "precision": "float32",
            "metric": task["metrics"][0],
            "floor": floor,
            "gated": gated,
            "curves": curves,
            "random": random,
        }
        for split, rows, random in (("train", 512, []), (task["validation"][0], 1000, [line(1), line(2)]))
    ]


def file_entry(path: Path) -> dict[str, Any]:
    """What `study.json` says of a file."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def study_document(
    name: str,
    task: Task,
    shape: BertShape,
    backbone: str,
    seed: int,
    factors: ImportanceFactors,
    chosen: dict[str, Selection],
    shipped: Sequence[str],
    criterion: str,
) -> dict[str, Any]:
    """What `study.json` says, but for the checksums of the files beside it; see `write_document`."""
    return {
        "schema": 2,
        "name": name,
        "task": task.to_json(),
        "backbone": {"name": backbone, "source": "made up", "sha256": "0" * 64, "shape": asdict(shape)},
        "config": to_plain(StudyConfig(backbone=backbone, seed=seed)),
        "provenance": {
            "command": f"python -m pruning run --task {task.name}",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "seed": seed,
            "date": "2025-01-02T03:04:05+00:00",
            "hardware": "made-up processor",
            "threads": 2,
            "libraries": {"torch": "2.13.0"},
            "precision": "float32",
            "data": {
                "source": "made up",
                "train": {"rows": official_rows(task.name, "train"), "sha256": "1" * 64},
                "validation": {"rows": ROWS[task.name], "sha256": "2" * 64},
            },
            "seconds": {"teacher": 900.0, "slim": 420.0, "recover-10": 1080.0},
        },
        "floor": {metric: FLOOR[task.name] if metric == task.main_metric else 0.0 for metric in task.metrics},
        "selections": {percent: _selection(selection, percent, criterion) for percent, selection in chosen.items()},
        "smallest_total_density": smallest_total_density(factors, SELECTION_SETTINGS),
        "results": _results(task, shape, chosen, shipped),
        "speed": _speed(shipped),
    }


def _selection(selection: Selection, percent: str, criterion: str) -> dict[str, Any]:
    return {
        "budget": {"kind": "total_density", "value": float(percent) / 100},
        "criterion": criterion,
        "settings": to_plain(SELECTION_SETTINGS),
        "total_density": selection.total_density,
        "encoder_density": selection.encoder_density,
        "parameters": to_plain(Parameters.of(selection.shape)),
        "network": to_plain(selection.shape),
    }


def _results(
    task: Task, shape: BertShape, chosen: dict[str, Selection], shipped: Sequence[str]
) -> list[dict[str, Any]]:
    dense = to_plain(Parameters.of(shape.network()))
    teacher, floor = TEACHER[task.name], FLOOR[task.name]
    results = [_result(task, "teacher", teacher, teacher, dense, dense, 1.0, shipped=True)]
    for percent, selection in chosen.items():
        parameters = to_plain(Parameters.of(selection.shape))
        kept = KEPT_ABOVE_FLOOR.get(percent, 0.9)
        for variant, share in ((f"one-shot-{percent}", 0.6 * kept), (f"slim-{percent}", kept)):
            is_shipped = variant.startswith("slim") and percent in shipped
            score = floor + share * (teacher - floor)
            row = _result(task, variant, score, teacher, parameters, dense, selection.flop_ratio, shipped=is_shipped)
            difference = row["metrics"][task.main_metric] - results[0]["metrics"][task.main_metric]
            row["interval"] = {
                "metric": task.main_metric,
                "difference": difference,
                "low": difference - 0.013,
                "high": difference + 0.013,
                "resamples": 2000,
            }
            results.append(row)
    return results


def _result(
    task: Task,
    variant: str,
    score: float,
    teacher: float,
    parameters: dict[str, int],
    dense: dict[str, int],
    flop_ratio: float,
    *,
    shipped: bool,
) -> dict[str, Any]:
    count = ROWS[task.name]
    correct = None
    floor = FLOOR[task.name]
    if task.main_metric == "accuracy":
        correct = round(score * count)
        score, teacher = correct / count, round(teacher * count) / count
    metrics = {metric: score if metric == task.main_metric else round(score + 0.01, 4) for metric in task.metrics}
    if "accuracy" in metrics and correct is None:
        correct = round(0.72 * count)
        metrics["accuracy"] = correct / count
    return {
        "variant": to_plain(Variant.parse(variant)),
        "selection": Variant.parse(variant).budget,
        "split": task.validation[0],
        "count": count,
        "correct": correct,
        "metrics": metrics,
        "retention": retention(score, teacher),
        "retention_above_floor": retention_above_floor(score, teacher, floor),
        "parameters": parameters,
        "total_density": parameters["total"] / dense["total"],
        "encoder_density": parameters["encoder"] / dense["encoder"],
        "index_buffers": 0,
        "index_bytes": 0,
        "flops": {"length": 32, "total": round(6.8e8 * flop_ratio)},
        "flop_ratio": flop_ratio,
        "size_bytes": (4 if variant == "teacher" else 2) * parameters["total"] if shipped else None,
        "tokens_per_text": 25.1,
        "truncated_share": 0.0,
        "peak_memory_bytes": None,
        "shipped": shipped,
    }


def _speed(shipped: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for variant, faster in (("teacher", 1.0), *((f"slim-{percent}", 70 / float(percent)) for percent in shipped)):
        for batch, median in ((1, 6.0), (32, 120.0)):
            for length in (16, 32, 64, 128, "real"):
                speedup = faster if batch == 32 else faster**0.7
                milliseconds = median * (0.8 if length == "real" else length / 32) / speedup
                rows.append(
                    {
                        "variant": to_plain(Variant.parse(variant)),
                        "device": "cpu",
                        "threads": 2,
                        "batch": batch,
                        "length": length,
                        "median_ms": milliseconds,
                        "p95_ms": 1.2 * milliseconds,
                        "speedup": speedup,
                        "runs": 30,
                    }
                )
    return rows
