"""How closely a network follows its teacher, whatever the labels say."""

from __future__ import annotations

import numpy as np

from pruning.data.tasks import Task
from pruning.measure.metrics import Metric, correlations, predictions
from pruning.records import NonNegative, Record, Share


class Fidelity(Record, frozen=True, kw_only=True):
    """How closely a network follows its teacher on some examples.

    Attributes:
        agreement: share of examples with the teacher's answer; None in a regression.
        divergence: mean of `divergence`: KL in nats, or the squared difference of scores.
        correlation: Pearson's, with the teacher's scores; None but in a regression.
    """

    agreement: Share | None = None
    divergence: NonNegative
    correlation: Metric | None = None


def fidelity(task: Task, logits: np.ndarray, teacher: np.ndarray) -> Fidelity:
    """How closely a network follows its teacher.

    Args:
        task: whose labels the logits are of.
        logits: (examples, labels) of the network.
        teacher: the same of the teacher.
    """
    mean = max(0.0, float(divergence(task, logits, teacher).mean()))  # rounding may go below the least there is
    if not task.is_regression:
        return Fidelity(agreement=agreement(task, logits, teacher), divergence=mean)
    own, reference = predictions(task, logits), predictions(task, teacher)
    correlation = float(np.clip(correlations("pearson", own[None], reference[None])[0], -1.0, 1.0))
    return Fidelity(divergence=mean, correlation=correlation)


def divergence(task: Task, logits: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Distance of each example's answer to the teacher's: KL divergence from teacher to student in nats, or squared.

    Args:
        task: whose labels the logits are of.
        logits: (examples, labels) of the network.
        teacher: the same of the teacher.

    Returns:
        (examples,) float64: KL(teacher || network) of the softmaxes; in a regression, the squared difference.
    """
    if task.is_regression:
        return np.square(predictions(task, logits) - predictions(task, teacher))
    own, reference = _log_softmax(logits), _log_softmax(teacher)
    return (np.exp(reference) * (reference - own)).sum(-1)


def agreement(task: Task, logits: np.ndarray, teacher: np.ndarray) -> float | None:
    """Share of examples with the teacher's answer; None in a regression."""
    if task.is_regression:
        return None
    return float((predictions(task, logits) == predictions(task, teacher)).mean())


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
