"""What commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

from pruning.data.tasks import Task
from pruning.records import to_plain


def say(line: str) -> None:
    """A line for people, on standard error."""
    print(printable(line), file=sys.stderr, flush=True)


def show(line: str) -> None:
    """A line of results."""
    print(printable(line))


def show_json(value: Any) -> None:
    """The one object that ``--json`` promises."""
    print(json.dumps(finite(value)))


def printable(line: str) -> str:
    """A line without control characters, which may come from a file or a study and would steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in line)


def finite(value: Any) -> Any:
    """Plain values for JSON; numbers that are not finite become null, for JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    return [finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def results_json(results: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows of results as plain values, the variant by its name."""
    return [to_plain(row) | {"variant": row.variant.name} for row in results]


def show_results(task: Task, results: Iterable[Any]) -> None:
    """A line for each network and split."""
    rows = list(results)
    width = max((len(row.variant.name) for row in rows), default=0)
    for row in rows:
        scores = ", ".join(f"{task.metric_title(name)} {row.metrics[name]:.4f}" for name in task.metrics)
        count = f"{row.correct}/{row.count}" if row.correct is not None else f"n={row.count}"
        kept = f"  retention {row.retention:.1%}" if row.retention is not None else ""
        if task.is_labelled:
            kept += _followed(row)
        density = getattr(row, "total_density", None)  # known of a study's own results, not of a new scoring
        cost = f"  total density {density:.1%}" if density is not None else ""
        show(f"{row.variant.name:<{max(width, 12)}} {row.split:<12} {scores}  ({count}){kept}{cost}")


def _followed(row: Any) -> str:
    """How closely a row's network follows its teacher, behind what the labels say."""
    found = getattr(row, "fidelity", None)
    if found is None:
        return ""
    same = f"agreement {found.agreement:.1%}" if found.agreement is not None else f"correlation {found.correlation:.4f}"
    return f"  {same}"
