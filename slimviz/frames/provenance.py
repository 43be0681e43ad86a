"""What a study is about and where its numbers come from, in words: data, hardware, date."""

from __future__ import annotations

from datetime import datetime

from pruning.bert.shapes import BertShape
from pruning.data.tasks import TASKS, Task
from pruning.errors import one_line
from pruning.methods.registry import METHODS
from pruning.study import Speed, Study
from slimviz.theme import listing, thread_text

MOST_WORDS = 6  # of labels in a description
LONGEST_WORD = 40  # characters


def is_own(task: Task) -> bool:
    """Whether a task is a user's own, so that GLUE has nothing to do with it."""
    return task.name not in TASKS


def description_text(study: Study) -> str:
    """What a study is about in one line: GLUE's task, or the user's own file, its columns and the label words."""
    task = study.task
    if not is_own(task):
        return task.description
    source = one_line(study.document.provenance.data.source)
    texts = listing([one_line(name, LONGEST_WORD) for name in task.text])
    read = f"{source[:1].upper()}{source[1:]}, column{'s' if task.is_pair else ''} {texts}"
    labels = "scores" if task.labels is None else label_words(task.labels)
    if task.is_labelled:
        return f"{read}; labels in {one_line(task.label, LONGEST_WORD)}: {labels}"
    return f"{read}; no labels, its teacher ({one_line(study.document.backbone.name, LONGEST_WORD)}) answers: {labels}"


def label_words(labels: tuple[str, ...]) -> str:
    """Label words as a list, the first few of many."""
    shown = [one_line(word, LONGEST_WORD) for word in labels[:MOST_WORDS]]
    more = len(labels) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def method_title(name: str) -> str:
    """A method as printed; its name where this version does not know it."""
    return METHODS[name].title if name in METHODS else name


def provenance_text(study: Study) -> str:
    """A study's provenance in one line."""
    provenance, backbone = study.document.provenance, study.document.backbone
    data, seconds = provenance.data, sum(provenance.seconds.values())
    where = f"{provenance.hardware}, {thread_text(provenance.threads)}"
    parts = (
        backbone.name,
        date_text(provenance.date),
        f"commit {provenance.commit[:7]}" if provenance.commit else "no commit recorded",
        f"seed {provenance.seed}",
        f"{data.train.rows:,} training and {data.validation.rows:,} validation examples from {data.source}",
        f"{_duration(seconds)} on {where}" if seconds else where,
    )
    return " · ".join(parts)


def date_text(date: str) -> str:
    """The day of an ISO date and time; as it is where it is none."""
    try:
        return datetime.fromisoformat(date).date().isoformat()
    except ValueError:
        return date


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def conditions_text(speed: Speed) -> str:
    """What a speed was measured on: "CPU, 2 threads, 32 tokens"."""
    device = speed.device.upper()
    threads = f", {thread_text(speed.threads)}" if device == "CPU" else ""
    length = "the validation texts" if speed.length == "real" else f"{speed.length} tokens"
    return f"{device}{threads}, {length}"


def shape_words(shape: BertShape) -> str:
    """A backbone's widths in words."""
    return f"{shape.layers} layers, {shape.heads} heads, {shape.hidden} wide"
