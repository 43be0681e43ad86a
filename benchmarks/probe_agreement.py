"""How far the two labelling passes of the probe sets agree.

python -m benchmarks.probe_agreement

Reads what was kept (assets/probe/TASK.jsonl) and what was dropped (assets/probe/disagreements/TASK.jsonl) and prints
JSON, one object per task: for classes the share of equal labels and Cohen's kappa, for scores Pearson's correlation and
the mean absolute difference.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `python benchmarks/probe_agreement.py` works as well

from pruning.data.probe import PROBE_FOLDER
from pruning.data.tasks import get_task

LARGEST_DISTANCE = 1.0  # scores further apart than this were dropped


def read_items(folder: Path, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Kept and dropped items of one set."""
    kept, dropped = (folder / f"{name}.jsonl", folder / "disagreements" / f"{name}.jsonl")
    return _read(kept), _read(dropped) if dropped.is_file() else []


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def agreement(kept: list[dict[str, Any]], dropped: list[dict[str, Any]], *, is_regression: bool) -> dict[str, Any]:
    """Agreement of both passes over all items, those that were dropped for it included."""
    items = [*kept, *dropped]
    first, second = ([item[f"{which}_label"] for item in items] for which in ("first", "second"))
    report: dict[str, Any] = {"items": len(items), "kept": len(kept), "dropped": len(dropped)}
    if is_regression:
        one, two = np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)
        return report | {
            "pearson": round(float(np.corrcoef(one, two)[0, 1]), 4),
            "mean_absolute_difference": round(float(np.abs(one - two).mean()), 4),
            "rule": f"dropped where the scores differ by more than {LARGEST_DISTANCE}; the label is their mean",
        }
    return report | {
        "raw_agreement": round(sum(map(str.__eq__, first, second)) / len(items), 4),
        "cohens_kappa": round(cohens_kappa(first, second), 4),
        "rule": "dropped where the labels differ",
    }


def cohens_kappa(first: list[str], second: list[str]) -> float:
    """Agreement beyond chance: (observed - expected) / (1 - expected); 1.0 where both only ever said one word."""
    words = sorted({*first, *second})
    shares = [np.array([labels.count(word) for word in words]) / len(labels) for labels in (first, second)]
    expected = float(shares[0] @ shares[1])
    observed = sum(map(str.__eq__, first, second)) / len(first)
    return 1.0 if expected == 1 else (observed - expected) / (1 - expected)


def report(folder: Path = PROBE_FOLDER) -> dict[str, dict[str, Any]]:
    """Agreement of every set in a folder, by task."""
    names = sorted(path.stem for path in folder.glob("*.jsonl"))
    return {name: agreement(*read_items(folder, name), is_regression=get_task(name).is_regression) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description="Agreement of the probe sets' two labelling passes, as JSON.")
    parser.add_argument("--folder", type=Path, default=PROBE_FOLDER, help="folder of probe sets")
    print(json.dumps(report(parser.parse_args().folder), indent=2))


if __name__ == "__main__":
    main()
