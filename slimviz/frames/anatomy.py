"""What each component of teacher and slim network costs: parameters, bytes, operations, milliseconds (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pruning.bert.counts import Component, component_flops, component_index_bytes, component_parameters
from pruning.bert.shapes import NetworkShape
from slimviz.frames.tidy import frame_of, known, only, records
from slimviz.theme import UNKNOWN, amount_text, bytes_text, percent_text

if TYPE_CHECKING:
    import pandas as pd

FLOAT_BYTES = 4  # of a parameter in memory: networks compute in float32
TITLES = {
    Component.WORDS: "Word table",
    Component.POSITIONS: "Positions",
    Component.SEGMENTS: "Segments, LayerNorm",
    Component.ATTENTION_LINEAR: "Attention matrices",
    Component.ATTENTION: "Attention itself",
    Component.FFN: "FFN",
    Component.POOLER: "Pooler",
    Component.HEAD: "Classifier",
}
TIMED_TITLES = TITLES | {Component.POSITIONS: "Positions, segments"}  # added in one go, so timed as one
Text = Callable[[float | None], str]
COSTS: dict[str, Text] = {"parameters": amount_text, "bytes": bytes_text, "flops": amount_text}


def component_costs(shape: NetworkShape, length: int, batch: int) -> dict[str, dict[Component, int]]:
    """Costs of a network by kind and component.

    Args:
        shape: its widths.
        length: tokens of each text.
        batch: texts, which operations grow with.
    """
    parameters, indices = component_parameters(shape), component_index_bytes(shape)
    return {
        "parameters": parameters,
        "bytes": {part: FLOAT_BYTES * parameters[part] + indices[part] for part in Component},
        "flops": {part: batch * count for part, count in component_flops(shape, length).items()},
    }


def anatomy_frame(dense: NetworkShape, slim: NetworkShape | None, length: int, batch: int) -> pd.DataFrame:
    """One row per kind of cost and component.

    Args:
        dense: the teacher's widths.
        slim: the slim network's; None for the teacher alone.
        length: tokens of each text.
        batch: texts.

    Returns:
        Columns cost ("parameters", "bytes", "flops"), title, teacher, slim (None without one), label.
    """
    whole = component_costs(dense, length, batch)
    left = None if slim is None else component_costs(slim, length, batch)
    rows = []
    for cost, text in COSTS.items():
        for part, title in TITLES.items():
            kept = None if left is None else left[cost][part]
            rows.append(_row(title, whole[cost][part], kept, text) | {"cost": cost})
    return frame_of(rows)


def time_frame(rows: Sequence[Mapping[str, Any]], text: Text) -> pd.DataFrame:
    """Milliseconds by component, from the rows of a `ComponentRun`, as `anatomy_frame` has other costs.

    Args:
        rows: one a network; a teacher's first where there are two.
        text: milliseconds as printed.
    """
    teacher = next((row for row in rows if row["network"] == "teacher"), None)
    slim = next((row for row in rows if row["network"] != "teacher"), None)

    def of(row: Mapping[str, Any] | None, part: Component) -> float | None:
        return None if row is None else row[f"{part}_ms"]

    return frame_of(
        _row(title, of(teacher, part), of(slim, part), text)
        for part, title in TIMED_TITLES.items()
        if part is not Component.SEGMENTS
    )


def _row(title: str, teacher: float | None, slim: float | None, text: Text) -> dict[str, Any]:
    both = [text(value) for value in (slim, teacher) if value is not None]
    return {"title": title, "teacher": teacher, "slim": slim, "label": " of ".join(both)}


def anatomy_table(frame: pd.DataFrame, costs: Mapping[str, str]) -> pd.DataFrame:
    """Components down and costs across, teacher beside slim and what is left, with their sums in the last line.

    Args:
        frame: from `anatomy_frame`.
        costs: which, with their titles.
    """
    lines: dict[str, dict[str, str]] = {}
    for cost, title in costs.items():
        rows, text = records(only(frame, "cost", [cost])), COSTS[cost]
        cells = [(row["title"], row["teacher"], row["slim"]) for row in rows]
        kept = known(slim for _, _, slim in cells)
        whole, left = sum(teacher for _, teacher, _ in cells), sum(kept) if kept else None
        for name, teacher, slim in [*cells, ("All", whole, left)]:
            line = lines.setdefault(name, {"Component": name})
            line[f"{title}, teacher"] = text(teacher)
            if slim is not None:
                line[f"{title}, slim"] = text(slim)
                line[f"{title}, left"] = percent_text(slim / teacher) if teacher else UNKNOWN
    return frame_of(lines.values())
