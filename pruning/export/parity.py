"""Whether an exported network answers as the one that it was written from: on which texts, how alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pruning.data import TASKS, Examples, Task, get_task, load_examples, load_probe, unlabelled
from pruning.errors import MeasureError
from pruning.measure.fidelity import fidelity
from pruning.measure.metrics import Metric, Metrics, metrics
from pruning.records import NonNegative, Positive, Record, Share, Text

LEAST_SAME, LEAST_CORRELATION = 0.995, 0.9999  # of a network in float32


@dataclass(frozen=True)
class Trial:
    """Texts that an exported network is tried on, and the task that says what answers mean."""

    task: Task
    examples: Examples


class Parity(Record, frozen=True, kw_only=True):
    """How alike the answers of an exported network and of the original are.

    Attributes:
        origin: of the texts.
        texts: how many.
        same_answer: share of them with the same label; None in a regression.
        correlation: Pearson's, of the scores; None but in a regression.
        largest_difference: between two logits.
        metrics: of the exported network; None where the texts have no labels.
        original: the same of the original.
    """

    origin: Text
    texts: Positive
    same_answer: Share | None
    correlation: Metric | None
    largest_difference: NonNegative
    metrics: Metrics | None = None
    original: Metrics | None = None

    def __str__(self) -> str:
        """One line for people."""
        same = (
            f"the same answer to {self.same_answer:.2%} of them"
            if self.same_answer is not None
            else f"scores that correlate by {self.correlation:.6f}"
        )
        line = (
            f"tried on {self.texts:,} texts ({self.origin}): {same}, logits at most {self.largest_difference:.1e} apart"
        )
        for name, value in (self.metrics or {}).items():
            line += f"; {name} {value:.4f}, in torch {(self.original or {})[name]:.4f}"
        return line

    def require(self) -> None:
        """Refuse a network in float32 that answers otherwise.

        Raises:
            MeasureError: it does.
        """
        if self.same_answer is not None and self.same_answer < LEAST_SAME:
            raise MeasureError(f"export: {self}; expected the same answer to at least {LEAST_SAME:.1%}")
        if self.correlation is not None and self.correlation < LEAST_CORRELATION:
            raise MeasureError(f"export: {self}; expected a correlation of at least {LEAST_CORRELATION}")


def compare(trial: Trial, exported: np.ndarray, original: np.ndarray) -> Parity:
    """How alike two networks' logits of a trial's texts are, (texts, labels) each."""
    task, examples = trial.task, trial.examples
    found = fidelity(task, exported, original)
    scored = {}
    if task.is_labelled and examples.is_labelled:
        labels = examples.labels
        scored = {"metrics": metrics(task, exported, labels), "original": metrics(task, original, labels)}
    return Parity(
        origin=examples.origin,
        texts=len(examples),
        same_answer=found.agreement,
        correlation=found.correlation,
        largest_difference=float(np.abs(exported - original).max()),
        **scored,
    )


def trial_of(task: Task, source: str | None) -> Trial:
    """Texts to try a task's network on.

    Args:
        task: the task.
        source: "hub" or a folder with its validation split; None for the bundled probe set. A task that has none is
            tried on another one's texts, without their labels.

    Raises:
        DataError: the examples cannot be read.
    """
    if source is not None or task.name in TASKS:
        return Trial(task, load_examples(task, "validation", source or "probe"))
    others = load_probe(get_task("mrpc" if task.is_pair else "sst2"), "validation")
    return Trial(task, unlabelled(others.texts, others.pairs, f"texts of {others.origin}"))
