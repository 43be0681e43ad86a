"""Studies of a classifier that somebody else fine-tuned: tiny networks that load, a teacher that is only named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pruning.data.tasks import Task, custom_task, get_task
from tests.factories.study_document import file_entry, write_document
from tests.factories.tiny_backbone import make_bert, make_tokenizer
from tests.factories.tiny_study import write_tiny_study

ELSEWHERE = ".elsewhere"  # beside the studies: where the teachers lie
COUNT = 300
AGREED = {"teacher": 300, "slim": 289, "one-shot": 241}
FLOOR = 0.61
SOURCE = "file reviews.csv"


def own_task(like: str = "sst2", *, is_labelled: bool = False, **changed: Any) -> Task:
    """A user's own task of as many texts and labels as one of GLUE's, with words of its own; see `custom_task`."""
    task = get_task(like)
    labels = None if task.labels is None else ("meh", "great_stuff", "so-so")[: len(task.labels)]
    text = ("review", "reply_text")[: len(task.text)]
    values: dict[str, Any] = {"name": "mine", "text": text, "labels": labels, "label": "verdict"}
    return custom_task(**(values | {"is_labelled": is_labelled} | changed))


def write_own_study(parent: Path, task: Task | None = None, *, like: str = "sst2", name: str = "mine") -> Path:
    """A study below `parent` of a tiny given teacher.

    The teacher lies in `ELSEWHERE`, where nobody looks unless SLIMVIZ_BACKBONES names it.

    Args:
        parent: folder of studies.
        task: its task; without labels by default.
        like: GLUE's task of as many texts and labels.
        name: of the study.
    """
    task = task or own_task(like)
    folder = write_tiny_study(parent, like, name=name)
    for file in folder.glob("teacher/*"):
        file.unlink()
    teacher = parent / ELSEWHERE / teacher_of(name)
    make_bert(like, seed=2).save_pretrained(teacher)
    make_tokenizer().save_pretrained(teacher)

    document = json.loads((folder / "study.json").read_text())
    document["task"] = task.to_json()
    sha256 = file_entry(teacher / "model.safetensors")["sha256"]
    document["backbone"] |= {"name": teacher.name, "source": f"folder {teacher.name}", "sha256": sha256}
    document["config"]["teacher"]["tuning"] = "none"
    document["provenance"]["data"]["source"] = SOURCE
    document["floor"] = dict.fromkeys(task.metrics, 0.0 if task.is_regression else FLOOR)
    for row in document["results"]:
        _answers(row, task)
    write_document(folder, document)
    return folder


def teacher_of(name: str) -> str:
    """What a study knows of its teacher, but for its checksum: its folder's name."""
    return f"teacher-of-{name}"


def _answers(row: dict[str, Any], task: Task) -> None:
    """Scores against the teacher's answers, or against labels that say the same, and how far both are apart."""
    method = row["variant"]["method"]
    correct, whole = AGREED[method], task.is_labelled and not task.is_regression
    share, floor = correct / COUNT, 0.0 if task.is_regression else FLOOR
    row |= {
        "count": COUNT,
        "correct": None if task.is_regression else correct,
        "metrics": dict.fromkeys(task.metrics, share),
        "retention": share,
        "retention_above_floor": (share - floor) / (1 - floor),
        "fidelity": None,
    }
    if method == "teacher":
        row |= {"shipped": False, "size_bytes": row["size_bytes"] or 67_000}
        return
    followed = {"agreement": None, "correlation": share} if task.is_regression else {"agreement": share - 0.01 * whole}
    row["fidelity"] = {"divergence": 0.034, **followed}
    row["interval"] = {
        "metric": task.main_metric,
        "difference": share - 1,
        "low": share - 1 - 0.02,
        "high": min(0.0, share - 1 + 0.02),
        "resamples": 2000,
    }
