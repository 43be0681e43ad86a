"""What a study says of its networks: budgets, scores, speed, and all that Overview shows of one budget."""

from __future__ import annotations

from typing import Any

from pruning.study import Study
from slimviz.frames.provenance import conditions_text

FLOP_LENGTH = 32  # tokens: the length at which FLOPs are counted and speed-ups quoted
SPEED_LENGTHS = (FLOP_LENGTH, "real", 64, 128, 16)  # which measured length stands for the speed-up, best first


def study_title(key: str, study: Study) -> str:
    """A study as printed: its task, and its key where that says more."""
    return study.task.title if key == study.task.name else f"{study.task.title} ({key})"


def budgets(study: Study) -> list[str]:
    """Budgets with masks, as stored ("10"), largest first."""
    return sorted(study.data["selections"], key=float, reverse=True)


def default_budget(percents: list[str]) -> str:
    """The budget that a page opens with: 10%, or else the smallest."""
    return "10" if "10" in percents else percents[-1]


def main_result(study: Study, variant: str) -> dict[str, Any] | None:
    """A variant's result on the task's main validation split, with the study's own seed where it has several."""
    found = [result for result in study.data["results"] if result["variant"] == variant]
    split, seed = study.task.validation[0], study.data["provenance"]["seed"]
    found.sort(key=lambda result: (result["split"] != split, result["seed"] != seed))
    return found[0] if found else None


def main_speed(study: Study, variant: str, batch: int) -> dict[str, Any] | None:
    """A variant's measured speed at a batch size, at 32 tokens where that was measured."""
    rows = [row for row in study.data["speed"] if row["variant"] == variant and row["batch"] == batch]
    rows.sort(key=lambda row: SPEED_LENGTHS.index(row["length"]) if row["length"] in SPEED_LENGTHS else 99)
    return rows[0] if rows else None


def overview_row(key: str, study: Study, percent: str) -> dict[str, Any]:
    """All that Overview says about one study at one budget; None where a number was not measured."""
    task = study.task
    metric = task.main_metric
    teacher, slim, one_shot = (
        main_result(study, name) for name in ("teacher", f"slim-{percent}", f"one-shot-{percent}")
    )
    interval = (slim or {}).get("interval") or {}
    row: dict[str, Any] = {
        "study": key,
        "title": study_title(key, study),
        "metric": task.metric_title(),
        "percent": percent,
        "split": (slim or teacher or {}).get("split"),
        "floor": study.data["floor"].get(metric),
        "interval_low": interval.get("low"),
        "interval_high": interval.get("high"),
        "difference": interval.get("difference"),
    }
    for name, result in (("teacher", teacher), ("slim", slim), ("one_shot", one_shot)):
        row[f"{name}_score"] = result["metrics"].get(metric) if result else None
        counted = result["correct"] if result and metric == "accuracy" else None
        row[f"{name}_correct"], row[f"{name}_count"] = counted, result["count"] if result else None
        row[f"{name}_bytes"] = result["size_bytes"] if result else None
    row["others"] = [
        (task.metric_title(other), *(result["metrics"].get(other) if result else None for result in (slim, teacher)))
        for other in task.metrics[1:]
    ]
    for name in ("retention", "retention_above_floor", "total_density", "encoder_density", "flop_ratio"):
        row[name] = slim[name] if slim else None
    if slim is None and percent in study.data["selections"]:
        row |= {name: study.data["selections"][percent][name] for name in ("total_density", "encoder_density")}
    for batch in (1, 32):
        speed = main_speed(study, f"slim-{percent}", batch)
        row[f"speedup_{batch}"] = speed["speedup"] if speed else None
        row["conditions"] = conditions_text(speed) if speed else row.get("conditions")
    row["ships_weights"] = study.weights(f"slim-{percent}") is not None
    return row
