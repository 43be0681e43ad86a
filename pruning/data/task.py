"""What a task is: the texts that are read, the labels that are predicted, the metrics that score them."""

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
    "agreement": "Agreement with the teacher",
    "correlation": "Correlation with the teacher",
}
# Of answers with the teacher's own, where there are no labels: an accuracy, and Pearson's correlation.
OF_ANSWERS = frozenset({"agreement", "correlation"})
SHARES = frozenset({"accuracy", "agreement"})  # of examples, so that a count says the same
CLASSIFICATION_METRICS = frozenset({"accuracy", "f1", "mcc", "agreement"})
REGRESSION_METRICS = frozenset({"pearson", "spearman", "correlation"})
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
    def is_labelled(self) -> bool:
        """Whether its examples have labels; without, networks are compared with their teacher's answers."""
        return self.main_metric not in OF_ANSWERS

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
