"""The task registry: the nine GLUE tasks, and a user's own.

Columns, label words and label numbers are those of the Hugging Face copy of GLUE; metrics are GLUE's own.
"""

from __future__ import annotations

from dataclasses import replace

from pruning.data.task import Task
from pruning.errors import ConfigError

_GLUE = (
    Task(
        name="cola",
        title="CoLA",
        description="Is this sentence acceptable English?",
        text=("sentence",),
        label="label",
        labels=("unacceptable", "acceptable"),
        metrics=("mcc", "accuracy"),
    ),
    Task(
        name="sst2",
        title="SST-2",
        description="Is this phrase of a film review positive or negative?",
        text=("sentence",),
        label="label",
        labels=("negative", "positive"),
        metrics=("accuracy",),
    ),
    Task(
        name="mrpc",
        title="MRPC",
        description="Do these two sentences from the news say the same?",
        text=("sentence1", "sentence2"),
        label="label",
        labels=("not_equivalent", "equivalent"),
        metrics=("accuracy", "f1"),
    ),
    Task(
        name="stsb",
        title="STS-B",
        description="How similar are these two sentences, from 0 to 5?",
        text=("sentence1", "sentence2"),
        label="label",
        labels=None,
        metrics=("pearson", "spearman"),
        label_range=(0.0, 5.0),
    ),
    Task(
        name="qqp",
        title="QQP",
        description="Do these two questions ask the same?",
        text=("question1", "question2"),
        label="label",
        labels=("not_duplicate", "duplicate"),
        metrics=("accuracy", "f1"),
    ),
    Task(
        name="mnli",
        title="MNLI",
        description="Does the premise entail the hypothesis, contradict it or neither?",
        text=("premise", "hypothesis"),
        label="label",
        labels=("entailment", "neutral", "contradiction"),
        metrics=("accuracy",),
        validation=("validation_matched", "validation_mismatched"),
    ),
    Task(
        name="qnli",
        title="QNLI",
        description="Does this sentence answer the question?",
        text=("question", "sentence"),
        label="label",
        labels=("entailment", "not_entailment"),
        metrics=("accuracy",),
    ),
    Task(
        name="rte",
        title="RTE",
        description="Does the second text follow from the first?",
        text=("sentence1", "sentence2"),
        label="label",
        labels=("entailment", "not_entailment"),
        metrics=("accuracy",),
    ),
    Task(
        name="wnli",
        title="WNLI",
        description="Does the second sentence, its pronoun resolved, follow from the first?",
        text=("sentence1", "sentence2"),
        label="label",
        labels=("not_entailment", "entailment"),
        metrics=("accuracy",),
    ),
)
TASKS: dict[str, Task] = {task.name: task for task in _GLUE}

# Rows of GLUE's own splits, as the Hugging Face copy counts them. Beside the tasks, not in them: a task is part of a
# stage's identity and of stored documents, and whoever holds fewer rows has the same task.
_OFFICIAL_ROWS = {
    "cola": {"train": 8_551, "validation": 1_043},
    "sst2": {"train": 67_349, "validation": 872},
    "mrpc": {"train": 3_668, "validation": 408},
    "stsb": {"train": 5_749, "validation": 1_500},
    "qqp": {"train": 363_846, "validation": 40_430},
    "mnli": {"train": 392_702, "validation_matched": 9_815, "validation_mismatched": 9_832},
    "qnli": {"train": 104_743, "validation": 5_463},
    "rte": {"train": 2_490, "validation": 277},
    "wnli": {"train": 635, "validation": 71},
}


def official_rows(task: str, split: str) -> int | None:
    """How many rows a split of GLUE has in full; None for other tasks and splits."""
    return _OFFICIAL_ROWS.get(task, {}).get(split)


def get_task(name: str) -> Task:
    """The GLUE task of that name; raises `ConfigError` naming the nine."""
    try:
        return TASKS[name]
    except KeyError:
        raise ConfigError(f"task {name!r}: unknown, expected one of {', '.join(TASKS)}") from None


def custom_task(
    name: str,
    text: tuple[str, ...],
    labels: tuple[str, ...] | None,
    *,
    label: str = "label",
    title: str | None = None,
    description: str | None = None,
    label_range: tuple[float, float] | None = None,
    is_labelled: bool = True,
) -> Task:
    """A user's own task.

    Args:
        name: short name, not one of GLUE's.
        text: one or two text columns.
        labels: label words in the order of their numbers, or None for a regression.
        label: label column.
        title: name as printed; `name` by default.
        description: one line for people.
        label_range: smallest and largest score of a regression, where known.
        is_labelled: whether examples have labels.

    Returns:
        The task, scored by accuracy (and F1 with two labels) or by Pearson and Spearman; without labels by the
        agreement with the teacher's answers, or the correlation with its scores.
    """
    if name in TASKS:
        raise ConfigError(f"task {name!r}: is one of GLUE's, expected a name of its own")
    return Task(
        name=name,
        title=title or name,
        description=description or _own_description(text, label if is_labelled else None),
        text=text,  # type: ignore[arg-type]  # one or two, checked in __post_init__
        label=label,
        labels=labels,
        metrics=_own_metrics(labels, is_labelled),
        label_range=label_range,
    )


def scored_as(task: Task, *, is_labelled: bool) -> Task:
    """The task with the metrics of other examples: some with labels where it has none, or the other way round."""
    return task if task.is_labelled == is_labelled else replace(task, metrics=_own_metrics(task.labels, is_labelled))


def _own_metrics(labels: tuple[str, ...] | None, is_labelled: bool) -> tuple[str, ...]:
    if not is_labelled:
        return ("correlation",) if labels is None else ("agreement",)
    if labels is None:
        return ("pearson", "spearman")
    return ("accuracy", "f1") if len(labels) == 2 else ("accuracy",)


def _own_description(text: tuple[str, ...], label: str | None) -> str:
    texts = " and ".join(text)
    return f"Your own data: {texts} to {label}" if label else f"Your own data: {texts}, as the teacher answers them"
