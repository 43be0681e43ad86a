"""GLUE's metrics, their floors, retention and paired intervals (NumPy; scipy where ranks are needed).

A metric is computed for many resamples at once, of which the examples as they are is the first case. Tests hold the
formulas against scikit-learn's and scipy's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pruning.data.tasks import Task
from pruning.errors import DataError

BLOCK_CELLS = 4_000_000  # numbers that the bootstrap holds at once: 32 MB an array
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A paired bootstrap interval of the difference between two networks on the same examples.

    Attributes:
        metric: name of the metric, the task's main one.
        difference: first network's metric less the second's, on the examples as they are.
        low: 2.5th percentile of the resampled differences.
        high: 97.5th percentile.
        resamples: how many were drawn.
    """

    metric: str
    difference: float
    low: float
    high: float
    resamples: int

    def to_json(self) -> dict[str, Any]:
        """The interval as plain JSON values."""
        return asdict(self)


def predictions(task: Task, logits: np.ndarray) -> np.ndarray:
    """Class numbers (n,), or scores (n,) as float64 for a regression.

    Args:
        task: the task.
        logits: (n, labels); (n,) or (n, 1) for a regression.
    """
    logits = np.asarray(logits)
    width = 1 if logits.ndim == 1 else logits.shape[-1]
    if logits.ndim not in (1, 2) or width != task.num_labels:
        raise DataError(f"{task.name}: logits have shape {logits.shape}, expected (examples, {task.num_labels})")
    if not np.isfinite(logits).all():
        row = int(np.flatnonzero(~np.isfinite(logits.reshape(len(logits), -1)).all(axis=1))[0])
        raise DataError(f"{task.name}: logits of example {row} are not finite, expected numbers")
    if task.is_regression:
        return logits.reshape(-1).astype(np.float64)
    return logits.argmax(axis=-1)


def metrics(task: Task, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The task's metrics, the main one first.

    A metric that is not defined is 0: a correlation with constant predictions, MCC with one class, F1 without label 1.

    Args:
        task: the task.
        logits: (n, labels); (n,) or (n, 1) for a regression.
        labels: (n,) class numbers or scores.
    """
    predicted, labels = _paired(task, logits, labels)
    return {name: _value(name, predicted, labels) for name in task.metrics}


def correct(task: Task, logits: np.ndarray, labels: np.ndarray) -> int | None:
    """How many examples are classified correctly; None for a regression."""
    predicted, labels = _paired(task, logits, labels)
    return None if task.is_regression else int((predicted == labels).sum())


def floor(task: Task, labels: np.ndarray) -> dict[str, float]:
    """What knowing nothing scores: always the most frequent class; 0 for MCC and correlations."""
    labels = np.asarray(labels)
    if not len(labels):
        raise DataError(f"{task.name}: no labels, expected at least one example")
    if task.is_regression:
        return dict.fromkeys(task.metrics, 0.0)
    constant = np.full(len(labels), np.bincount(labels).argmax())
    return {name: _value(name, constant, labels) for name in task.metrics}


def retention(value: float, teacher: float) -> float | None:
    """Metric over the teacher's; None where the teacher's is 0."""
    return None if teacher == 0 else value / teacher


def retention_above_floor(value: float, teacher: float, floor: float) -> float | None:
    """(metric - floor) over (teacher - floor); None where the teacher is at its floor."""
    return None if teacher == floor else (value - floor) / (teacher - floor)


def paired_bootstrap(
    task: Task,
    first_logits: np.ndarray,
    second_logits: np.ndarray,
    labels: np.ndarray,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """How sure the difference of two networks' main metric is, by resampling the examples that both answered.

    Args:
        task: the task.
        first_logits: of the network in question.
        second_logits: of the one that it is compared with (the teacher).
        labels: (n,) class numbers or scores.
        resamples: how many samples to draw.
        seed: of the draws.
    """
    if resamples < 1:
        raise DataError(f"{task.name}: {resamples} resamples, expected at least 1")
    first, labels = _paired(task, first_logits, labels)
    second, _ = _paired(task, second_logits, labels)
    metric = task.main_metric
    difference = _value(metric, first, labels) - _value(metric, second, labels)
    generator = np.random.default_rng(seed)
    resampled = _resampled_correlations if task.is_regression else _resampled_counts
    differences = resampled(metric, first, second, labels, resamples, generator)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(differences, [tail, 100 - tail])
    return Interval(metric, float(difference), float(low), float(high), resamples)


def _paired(task: Task, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, labels = predictions(task, logits), np.asarray(labels)
    if labels.shape != predicted.shape:
        raise DataError(f"{task.name}: {len(predicted)} predictions for labels {labels.shape}, expected as many")
    if not len(labels):
        raise DataError(f"{task.name}: no predictions, expected at least one example")
    return predicted, labels.astype(np.float64 if task.is_regression else np.int64)


def _value(metric: str, predicted: np.ndarray, labels: np.ndarray) -> float:
    if metric in _OF_CONFUSIONS:
        classes = _number_of_classes(predicted, labels)
        confusion = np.zeros((1, classes, classes))
        np.add.at(confusion[0], (labels, predicted), 1.0)
        return float(_OF_CONFUSIONS[metric](confusion)[0])
    return float(_correlations(metric, predicted[None], labels[None])[0])


def _resampled_counts(
    metric: str,
    first: np.ndarray,
    second: np.ndarray,
    labels: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Differences of a metric that only counts rows.

    Rows with the same label and the same two answers are alike, so that how often each kind is drawn is multinomial:
    the same distribution as drawing rows, without drawing them.
    """
    if metric == "accuracy":  # of a row, only whether it is correct matters, however many classes there are
        first, second, labels = (first == labels).astype(int), (second == labels).astype(int), np.ones_like(labels)
    classes = _number_of_classes(first, second, labels)
    kinds, counts = np.unique(np.stack([labels, first, second]), axis=1, return_counts=True)
    differences = []
    block = max(1, BLOCK_CELLS // (classes * classes + len(counts)))
    for start in range(0, resamples, block):
        drawn = generator.multinomial(len(labels), counts / counts.sum(), size=min(block, resamples - start))
        values = []
        for answers in kinds[1:]:
            confusion = np.zeros((classes * classes, len(drawn)))
            np.add.at(confusion, kinds[0] * classes + answers, drawn.T.astype(np.float64))
            values.append(_OF_CONFUSIONS[metric](confusion.T.reshape(-1, classes, classes)))
        differences.append(values[0] - values[1])
    return np.concatenate(differences)


def _resampled_correlations(
    metric: str,
    first: np.ndarray,
    second: np.ndarray,
    labels: np.ndarray,
    resamples: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """Differences of a correlation, by drawing rows."""
    differences = []
    block = max(1, BLOCK_CELLS // len(labels))
    for start in range(0, resamples, block):
        rows = generator.integers(len(labels), size=(min(block, resamples - start), len(labels)))
        drawn = labels[rows]
        differences.append(_correlations(metric, first[rows], drawn) - _correlations(metric, second[rows], drawn))
    return np.concatenate(differences)


def _number_of_classes(*numbers: np.ndarray) -> int:
    return 1 + max(1, *(int(values.max()) for values in numbers))


def _accuracies(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=1, axis2=2) / confusion.sum(axis=(1, 2))


def _f1_of_label_1(confusion: np.ndarray) -> np.ndarray:
    either = confusion[:, 1].sum(axis=1) + confusion[:, :, 1].sum(axis=1)
    return _divided(2 * confusion[:, 1, 1], either)


def _matthews(confusion: np.ndarray) -> np.ndarray:
    """Matthews' correlation coefficient in Gorodkin's multi-class form, as scikit-learn computes it."""
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    total = true.sum(axis=1)
    covariance = np.trace(confusion, axis1=1, axis2=2) * total - (true * predicted).sum(axis=1)
    spread = (total**2 - (true**2).sum(axis=1)) * (total**2 - (predicted**2).sum(axis=1))
    return _divided(covariance, np.sqrt(spread))


# Each takes (resamples, true class, predicted class) counts and gives (resamples,) values.
_OF_CONFUSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracies,
    "f1": _f1_of_label_1,
    "mcc": _matthews,
}


def _correlations(metric: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson or Spearman of each row of two (resamples, n) arrays."""
    constant = _is_constant(first) | _is_constant(second)
    if metric == "spearman":
        from scipy.stats import rankdata

        first, second = rankdata(first, axis=1), rankdata(second, axis=1)
    first = first - first.mean(axis=1, keepdims=True)  # centred first, so that nothing cancels
    second = second - second.mean(axis=1, keepdims=True)
    covariance = np.einsum("ij,ij->i", first, second)
    spread = np.sqrt(np.einsum("ij,ij->i", first, first)) * np.sqrt(np.einsum("ij,ij->i", second, second))
    return np.where(constant, 0.0, _divided(covariance, spread))


def _is_constant(values: np.ndarray) -> np.ndarray:
    """Whether the values of a row differ by float32's rounding errors at most: their correlation is noise."""
    return np.ptp(values, axis=1) <= 1e-6 * np.abs(values).max(axis=1)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
