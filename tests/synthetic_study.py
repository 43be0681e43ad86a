"""Build complete study folders with made-up numbers, for tests only.

Everything is deterministic in (task, seed) and agrees with itself: masks come from the real selection on made-up
factors, counts and ratios from the stored networks, checksums from the files. The weights are empty tensors, so no
network loads from these folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from pruning.bert.shapes import BertShape, Site
from pruning.data.tasks import Task, get_task
from pruning.importance.factors import ImportanceFactors, TablePieces
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select, smallest_total_density
from pruning.selection.settings import SelectionSettings
from pruning.study.document import network_to_json, parameters_to_json, ratio

BACKBONE = "synthetic-bert"
SETTINGS = SelectionSettings()
BUDGETS = ("50", "25", "10", "5")
ROWS = {"sst2": 872, "cola": 1043, "mrpc": 408, "rte": 277, "stsb": 1500, "mnli": 9815}
TEACHER = {"sst2": 0.905, "cola": 0.31, "mrpc": 0.80, "rte": 0.62, "stsb": 0.87, "mnli": 0.78}
FLOOR = {"sst2": 0.509, "cola": 0.0, "mrpc": 0.684, "rte": 0.527, "stsb": 0.0, "mnli": 0.354}
KEPT_ABOVE_FLOOR = {"50": 1.002, "25": 0.99, "10": 0.96, "5": 0.88, "2.5": 0.75}


def bert_shape(task: Task, layers: int = 6, heads: int = 12, head_size: int = 32, ffn: int = 1536) -> BertShape:
    """A dense shape like the embedded backbone's."""
    hidden = heads * head_size
    return BertShape(layers, heads, head_size, hidden, ffn, 30522, 512, 2, hidden, task.num_labels)


def make_factors(shape: BertShape, task: str, seed: int = 0) -> ImportanceFactors:
    """Factors in which some heads and units matter to every task, some to one, and most to none."""
    common = np.random.default_rng(7)
    shared = common.normal(size=(shape.layers, shape.heads))
    own = np.random.default_rng([sum(map(ord, task)), seed])
    strength = np.exp(1.4 * shared + own.normal(size=shared.shape) - 2.5)
    per_unit = np.repeat(strength, shape.head_size, axis=1) * own.lognormal(
        0, 0.35, shape.units(Site.ATTENTION_CONTEXT)
    )
    depth = np.linspace(0.6, -0.6, shape.layers)[:, None]
    alpha = {
        Site.HIDDEN: own.lognormal(-0.5, 0.3, shape.units(Site.HIDDEN)),
        Site.ATTENTION_INPUT: own.lognormal(-1, 0.4, shape.units(Site.ATTENTION_INPUT)),
        Site.ATTENTION_CONTEXT: np.minimum(per_unit, 1.5),
        Site.FFN_INPUT: own.lognormal(-1, 0.4, shape.units(Site.FFN_INPUT)),
        Site.FFN_HIDDEN: np.minimum(np.exp(own.normal(depth - 4, 1.6, shape.units(Site.FFN_HIDDEN))), 1.5),
    }
    gradient = strength * own.lognormal(0, 0.6, strength.shape)
    counts = np.maximum(0, (2e5 / (1 + own.permutation(shape.vocabulary)) - 8)).astype(np.int32)
    protected = np.zeros(shape.vocabulary, dtype=bool)
    protected[:1000] = True
    return ImportanceFactors(
        shape=shape,
        by_criterion={
            "alpha": {site: values.astype(np.float32) for site, values in alpha.items()},
            "head_gradient": {Site.ATTENTION_CONTEXT: gradient.astype(np.float32)},
        },
        pieces=TablePieces(counts, protected, np.geomspace(100, 1, shape.hidden).astype(np.float32)),
        pooler=own.lognormal(size=shape.pooler).astype(np.float32),
    )


def write_study(
    parent: Path,
    task: str = "sst2",
    *,
    name: str | None = None,
    seed: int = 0,
    shape: BertShape | None = None,
    backbone: str = BACKBONE,
    budgets: Sequence[str] = BUDGETS,
    shipped: Sequence[str] = ("10",),
    criterion: str = "alpha",
    alpha_sites: Sequence[Site] = tuple(Site),
) -> Path:
    """Write one study below `parent` and return its folder.

    Args:
        parent: folder of studies.
        task: one of GLUE's names.
        name: the study's and its folder's name; the task by default.
        seed: varies the factors.
        shape: the teacher's widths; the embedded backbone's by default.
        backbone: its name; studies of one name and shape share maps.
        budgets: stored budgets, total density in percent.
        shipped: those that also have weights.
        criterion: what the selections rank by.
        alpha_sites: sites with importance factors.
    """
    registered = get_task(task)
    shape = shape or bert_shape(registered)
    folder = parent / (name or task)
    folder.mkdir(parents=True)
    factors = make_factors(shape, task, seed)
    factors.by_criterion["alpha"] = {site: factors.by_criterion["alpha"][site] for site in alpha_sites}
    if Site.ATTENTION_CONTEXT not in alpha_sites:
        del factors.by_criterion["head_gradient"]
    chosen = {
        percent: select(factors, Budget("total_density", float(percent) / 100), SETTINGS, criterion)
        for percent in budgets
    }
    _write_arrays(folder, factors, chosen)
    _write_history(folder)
    (folder / "teacher").mkdir()
    save_file({"lora": np.zeros(8, dtype=np.float32)}, folder / "teacher" / "adapter_model.safetensors")
    (folder / "teacher" / "adapter_config.json").write_text("{}")
    for percent in shipped:
        slim = folder / f"slim-{percent}"
        slim.mkdir()
        save_file({"empty": np.zeros(8, dtype=np.float16)}, slim / "model.safetensors")
        for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
            (slim / file).write_text("{}")
        (slim / "README.md").write_text("Made up, for tests.\n")
    document = _document(folder.name, registered, shape, backbone, seed, factors, chosen, shipped, criterion)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    document["files"] = {str(path.relative_to(folder)): _entry(path) for path in files}
    (folder / "study.json").write_text(json.dumps(document, indent=1))
    return folder


def edit(folder: Path, change: Any) -> None:
    """Apply `change(document)` to a study's `study.json` in place."""
    path = folder / "study.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def _entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def _write_arrays(folder: Path, factors: ImportanceFactors, chosen: dict[str, Selection]) -> None:
    arrays = {
        f"{criterion}/{site}": values
        for criterion, by_site in factors.by_criterion.items()
        for site, values in by_site.items()
    }
    arrays["pieces/counts"] = factors.pieces.counts
    arrays["pieces/protected"] = factors.pieces.protected.astype(np.uint8)
    arrays["pieces/spectrum"] = factors.pieces.spectrum
    arrays["pooler/importance"] = factors.pooler
    save_file(arrays, folder / "factors.safetensors")
    masks: dict[str, np.ndarray] = {}
    for percent, selection in chosen.items():
        masks |= {f"{percent}/{site}": mask.astype(np.uint8) for site, mask in selection.masks.items()}
        masks[f"{percent}/pooler"] = selection.pooler.astype(np.uint8)
        masks[f"{percent}/pieces"] = selection.pieces.astype(np.int32)
    save_file(masks, folder / "masks.safetensors")


def _write_history(folder: Path) -> None:
    rows = [
        {"stage": stage, "step": step, "epoch": step / 100, "loss": 1 / (1 + step / 50), "alive": 1 - step / 400}
        for stage in ("teacher", "slim", "recover-10")
        for step in range(0, 300, 50)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _document(
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
    rows = ROWS[task.name]
    return {
        "schema": 1,
        "name": name,
        "task": task.to_json(),
        "backbone": {"name": backbone, "source": "made up", "sha256": "0" * 64, "shape": asdict(shape)},
        "config": {"task": task.name, "seed": seed},
        "provenance": {
            "command": f"python -m pruning run --task {task.name}",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "seed": seed,
            "date": "2025-01-02T03:04:05+00:00",
            "hardware": "made-up processor",
            "threads": 2,
            "libraries": {"torch": "2.13.0"},
            "data": {
                "source": "made up",
                "train": {"rows": 4000, "sha256": "1" * 64},
                "validation": {"rows": rows, "sha256": "2" * 64},
            },
            "seconds": {"teacher": 900.0, "slim": 420.0, "recover-10": 1080.0},
        },
        "floor": {metric: FLOOR[task.name] if metric == task.main_metric else 0.0 for metric in task.metrics},
        "selections": {percent: _selection(selection, percent, criterion) for percent, selection in chosen.items()},
        "smallest_total_density": smallest_total_density(factors, SETTINGS),
        "results": _results(task, shape, seed, chosen, shipped),
        "speed": _speed(shipped),
    }


def _selection(selection: Selection, percent: str, criterion: str) -> dict[str, Any]:
    return {
        "budget": {"kind": "total_density", "value": float(percent) / 100},
        "criterion": criterion,
        "settings": SETTINGS.to_json(),
        "total_density": selection.total_density,
        "encoder_density": selection.encoder_density,
        "parameters": parameters_to_json(selection.shape),
        "rank": selection.rank,
        "pieces": len(selection.pieces),
        "positions": selection.positions,
        "hidden": selection.shape.hidden,
        "pooler": selection.shape.pooler,
        "network": network_to_json(selection.shape),
    }


def _results(
    task: Task, shape: BertShape, seed: int, chosen: dict[str, Selection], shipped: Sequence[str]
) -> list[dict[str, Any]]:
    dense = parameters_to_json(shape.network())
    teacher, floor = TEACHER[task.name], FLOOR[task.name]
    results = [_result(task, "teacher", seed, teacher, teacher, dense, dense, 1.0, shipped=True)]
    for percent, selection in chosen.items():
        parameters = parameters_to_json(selection.shape)
        kept = KEPT_ABOVE_FLOOR[percent]
        for variant, share in ((f"one-shot-{percent}", 0.6 * kept), (f"slim-{percent}", kept)):
            is_shipped = variant.startswith("slim") and percent in shipped
            score = floor + share * (teacher - floor)
            row = _result(
                task, variant, seed, score, teacher, parameters, dense, selection.flop_ratio, shipped=is_shipped
            )
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
    seed: int,
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
        "variant": variant,
        "split": task.validation[0],
        "seed": seed,
        "count": count,
        "correct": correct,
        "metrics": metrics,
        "retention": ratio(score, teacher),
        "retention_above_floor": ratio(score, teacher, floor),
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
                        "variant": variant,
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
