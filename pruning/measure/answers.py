"""What networks say to texts: labels with their probabilities, or scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tasks import Task
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import predictions
from pruning.measure.network import Network
from pruning.variants import Variant


@dataclass(frozen=True)
class Answer:
    """What one network says to one text.

    Attributes:
        probabilities: label -> probability; None in a regression.
        score: of a regression; else None.
    """

    probabilities: dict[str, float] | None = None
    score: float | None = None

    @property
    def label(self) -> str | None:
        """The most probable label; None in a regression."""
        return None if self.probabilities is None else max(self.probabilities, key=self.probabilities.__getitem__)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values: "label", "probability" and "probabilities", or "score"."""
        if self.probabilities is None or self.label is None:
            return {"score": self.score}
        return {
            "label": self.label,
            "probability": self.probabilities[self.label],
            "probabilities": self.probabilities,
        }


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax over labels, (examples, labels) float64."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def answered(task: Task, network: Network, examples: Examples) -> Examples:
    """Examples labelled by a network's own answers, whatever labels they had.

    Raises:
        DataError: if an answer is not a number.
    """
    found = predictions(task, predict_logits(network, examples))
    labels = found.astype(np.float32 if task.is_regression else np.int64)
    return replace(examples, labels=labels, origin=f"{examples.origin}, as the teacher answers", is_labelled=True)


def answer(task: Task, networks: Mapping[Variant, Network], examples: Examples) -> dict[Variant, tuple[Answer, ...]]:
    """What each network says to each example.

    Raises:
        DataError: if a network's answer is not a number.
    """
    found = {}
    for variant, network in networks.items():
        logits = predict_logits(network, examples)
        predictions(task, logits)  # says where logits are of no use
        if task.labels is None:
            found[variant] = tuple(Answer(score=float(score)) for score in logits[:, 0])
        else:
            shares = probabilities(logits).tolist()
            found[variant] = tuple(Answer(dict(zip(task.labels, row, strict=True))) for row in shares)
    return found
