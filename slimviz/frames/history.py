"""What training reported -> curves: its stages, and each measure of one stage over the steps (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pruning.data.task import METRIC_TITLES
from slimviz.frames.tidy import frame_of
from slimviz.theme import budget_title

if TYPE_CHECKING:
    import pandas as pd

ROW = ("stage", "step", "epoch")  # where a row belongs; everything else in it was measured
LOSS_PARTS = {
    "loss": "Loss",
    "task": "Loss of the labels",
    "logits": "Distance to the teacher's answers",
    "hidden": "Distance to the teacher's states",
    "penalty": "Penalty",
}
TITLES = LOSS_PARTS | {"alive": "Share of units alive"} | METRIC_TITLES | {"learning_rate": "Learning rate"}
STAGE_TITLES = {
    "teacher": "Teacher's training",
    "slim": "Slimming",
    "importance": "Importance of units",
    "ablation": "Heads gated off",
    "least-squares": "Least squares",
    "recover": "Recovery",
    "cache": "Teacher's answers",
    "transfer-cache": "Teacher's answers to further texts",
}
STAGE = re.compile(r"(?:[a-z-]+-)?(?P<word>recover|least-squares)-(?P<budget>.+?)(?:-seed(?P<seed>[0-9]+))?")


def stage_title(stage: str) -> str:
    """A stage as printed: "recover-10-seed1" and "kwon-recover-10-seed1" are "Recovery at 10%, seed 1"."""
    found = STAGE.fullmatch(stage)
    if found is None:
        return STAGE_TITLES.get(stage, stage.replace("-", " "))
    seed = f", seed {found['seed']}" if found["seed"] else ""
    return f"{STAGE_TITLES[found['word']]} at {budget_title(found['budget'])}{seed}"


def measure_title(measure: str) -> str:
    """A measure as printed."""
    return TITLES.get(measure, measure.replace("_", " "))


def trained_stages(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Stages that reported a number at a step, in the order in which they ran."""
    return list(dict.fromkeys(row["stage"] for row in history if _values(row)))


def curve_frame(history: Sequence[Mapping[str, Any]], stage: str) -> pd.DataFrame:
    """One row per step and measure of one stage; known measures first, in a fixed order.

    Returns:
        Columns measure, title, step, value.
    """
    rows = [
        {"measure": measure, "title": measure_title(measure), "step": row["step"], "value": value}
        for row in history
        if row["stage"] == stage
        for measure, value in _values(row).items()
    ]
    order = {measure: place for place, measure in enumerate(TITLES)}
    rows.sort(key=lambda row: (order.get(row["measure"], len(order)), row["measure"], row["step"]))
    return frame_of(rows)


def _values(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row measured; nothing where it names no step."""
    if not _is_number(row.get("step")):
        return {}
    return {name: float(value) for name, value in row.items() if name not in ROW and _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
