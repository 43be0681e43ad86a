"""GLUE's metrics and their floors (NumPy; scipy where ranks are needed).

Not scikit-learn's and scipy's own: a bootstrap needs 2,000 values of a metric, which these formulas give at once, from
confusion counts or from rows of resamples; one by one they would take seconds. Tests hold the formulas against theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from msgspec import Meta

from pruning.data.tasks import Task
from pruning.errors import DataError

Metric = Annotated[float, Meta(ge=-1, le=1)]
Metrics = dict[str, Metric]


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


def metrics(task: Task, logits: np.ndarray, labels: np.ndarray) -> Metrics:
    """The task's metrics, the main one first.

    A metric that is not defined is 0: a correlation with constant predictions, MCC with one class, F1 without label 1.

    Args:
        task: the task.
        logits: (n, labels); (n,) or (n, 1) for a regression.
        labels: (n,) class numbers or scores.
    """
    predicted, labels = paired(task, logits, labels)
    return {name: value_of(name, predicted, labels) for name in task.metrics}


def correct(task: Task, logits: np.ndarray, labels: np.ndarray) -> int | None:
    """How many examples are classified correctly; None for a regression."""
    predicted, labels = paired(task, logits, labels)
    return None if task.is_regression else int((predicted == labels).sum())


def floor(task: Task, labels: np.ndarray) -> Metrics:
    """What knowing nothing scores: always the most frequent class; 0 for MCC and correlations."""
    labels = np.asarray(labels)
    if not len(labels):
        raise DataError(f"{task.name}: no labels, expected at least one example")
    if task.is_regression:
        return dict.fromkeys(task.metrics, 0.0)
    constant = np.full(len(labels), np.bincount(labels).argmax())
    return {name: value_of(name, constant, labels) for name in task.metrics}


def paired(task: Task, logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels (n,) each, checked to belong together and to be at least one."""
    predicted, labels = predictions(task, logits), np.asarray(labels)
    if labels.shape != predicted.shape:
        raise DataError(f"{task.name}: {len(predicted)} predictions for labels {labels.shape}, expected as many")
    if not len(labels):
        raise DataError(f"{task.name}: no predictions, expected at least one example")
    return predicted, labels.astype(np.float64 if task.is_regression else np.int64)


def value_of(metric: str, predicted: np.ndarray, labels: np.ndarray) -> float:
    """One metric of predictions, by name."""
    if metric in OF_CONFUSIONS:
        classes = number_of_classes(predicted, labels)
        confusion = np.zeros((1, classes, classes))
        np.add.at(confusion[0], (labels, predicted), 1.0)
        value = OF_CONFUSIONS[metric](confusion)[0]
    else:
        value = correlations(metric, predicted[None], labels[None])[0]
    return float(np.clip(value, -1.0, 1.0))  # rounding may go beyond a perfect 1


def number_of_classes(*numbers: np.ndarray) -> int:
    """How many classes these numbers speak of, at least two."""
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
OF_CONFUSIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracies,
    "agreement": _accuracies,  # labels are the teacher's answers
    "f1": _f1_of_label_1,
    "mcc": _matthews,
}


def correlations(metric: str, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman, or else Pearson, of each row of two (resamples, n) arrays."""
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
