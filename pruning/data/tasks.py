"""The task registry: the nine GLUE tasks, and a user's own (no torch, no pandas).

Columns, label words and label numbers are those of the Hugging Face copy of GLUE; metrics are GLUE's own.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import Any

from pruning.errors import ConfigError

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "pearson": "Pearson",
    "spearman": "Spearman",
}
CLASSIFICATION_METRICS = frozenset({"accuracy", "f1", "mcc"})
REGRESSION_METRICS = frozenset({"pearson", "spearman"})
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Task:
    """One task: what is read, what is predicted and how that is scored.

    Attributes:
        name: short name, also that of folders and files.
        title: name as printed.
        description: one line for people.
        text: one or two text columns.
        label: label column.
        labels: label words in the order of their numbers, or None for a regression.
        metrics: names of metrics, the main one first.
        validation: names of the validation splits, the default one first.
        label_range: smallest and largest score of a regression, where known.
    """

    name: str
    title: str
    description: str
    text: tuple[str, ...]
    label: str
    labels: tuple[str, ...] | None
    metrics: tuple[str, ...]
    validation: tuple[str, ...] = ("validation",)
    label_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse a task that contradicts itself."""
        if not NAME_PATTERN.fullmatch(self.name):
            raise ConfigError(
                f"task {self.name!r}: expected a name of at most 64 lower-case letters, digits, '_', '-' and '.', "
                "starting with a letter or digit"
            )
        if not 1 <= len(self.text) <= 2 or len({*self.text, self.label}) != len(self.text) + 1:
            raise ConfigError(
                f"task {self.name}: columns {', '.join(map(repr, (*self.text, self.label)))}, "
                "expected one or two text columns and another for the label"
            )
        if self.labels is not None and (len(self.labels) < 2 or len(set(self.labels)) != len(self.labels)):
            raise ConfigError(f"task {self.name}: labels {list(self.labels)}, expected at least two different ones")
        allowed = REGRESSION_METRICS if self.is_regression else CLASSIFICATION_METRICS
        if not self.metrics or not set(self.metrics) <= allowed:
            raise ConfigError(
                f"task {self.name}: metrics {list(self.metrics)}, expected some of {', '.join(sorted(allowed))}"
            )
        if self.label_range is not None and not -math.inf < self.label_range[0] < self.label_range[1] < math.inf:
            low, high = self.label_range
            raise ConfigError(f"task {self.name}: label range {low:g} to {high:g}, expected the lower score first")
        if not self.validation:
            raise ConfigError(f"task {self.name}: no validation split, expected at least one")

    @property
    def is_regression(self) -> bool:
        """Whether the label is a number rather than a class."""
        return self.labels is None

    @property
    def is_pair(self) -> bool:
        """Whether an example is two texts."""
        return len(self.text) == 2

    @property
    def num_labels(self) -> int:
        """Width of the classifier's output: 1 for a regression."""
        return 1 if self.labels is None else len(self.labels)

    @property
    def main_metric(self) -> str:
        """Name of the metric that comparisons use."""
        return self.metrics[0]

    def metric_title(self, metric: str | None = None) -> str:
        """A metric's name as printed (default: the main metric's)."""
        name = metric or self.main_metric
        return METRIC_TITLES.get(name, name)

    def to_json(self) -> dict[str, Any]:
        """The task as plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Task:
        """The task that `to_json` wrote; raises `ConfigError` where the object is not one."""
        try:
            labels, label_range = data["labels"], data.get("label_range")
            return cls(
                name=str(data["name"]),
                title=str(data["title"]),
                description=str(data["description"]),
                text=tuple(map(str, data["text"])),  # type: ignore[arg-type]  # the length is checked above
                label=str(data["label"]),
                labels=None if labels is None else tuple(map(str, labels)),
                metrics=tuple(map(str, data["metrics"])),
                validation=tuple(map(str, data["validation"])),
                label_range=None if label_range is None else (float(label_range[0]), float(label_range[1])),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError(f"stored task: {reason}; expected an object with the fields of a task") from error


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

    Returns:
        The task, scored by accuracy (and F1 with two labels) or by Pearson and Spearman.
    """
    if name in TASKS:
        raise ConfigError(f"task {name!r}: is one of GLUE's, expected a name of its own")
    classification = ("accuracy", "f1") if labels is not None and len(labels) == 2 else ("accuracy",)
    return Task(
        name=name,
        title=title or name,
        description=description or f"Your own data: {' and '.join(text)} to {label}",
        text=text,  # type: ignore[arg-type]  # one or two, checked in __post_init__
        label=label,
        labels=labels,
        metrics=("pearson", "spearman") if labels is None else classification,
        label_range=label_range,
    )
