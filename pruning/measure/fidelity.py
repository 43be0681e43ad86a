"""How closely a network follows its teacher, whatever the labels say."""

from __future__ import annotations

import numpy as np

from pruning.data.tasks import Task
from pruning.measure.metrics import predictions


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
