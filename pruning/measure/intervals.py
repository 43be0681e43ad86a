"""Retention of a teacher's metric, how sure a difference to it is (a paired bootstrap), spread over seeds (NumPy).

scipy's `bootstrap` would do the same with one call of the metric per resample, or with resampled logits in memory; both
take seconds where counting alike rows takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated

import numpy as np
from msgspec import Meta

from pruning.data.task import SHARES, Task
from pruning.errors import DataError
from pruning.measure.metrics import OF_CONFUSIONS, correlations, number_of_classes, paired, value_of
from pruning.records import Positive, Record, Text

BLOCK_CELLS = 4_000_000  # numbers that the bootstrap holds at once: 32 MB an array
CONFIDENCE = 0.95
LARGEST_RATIO = 1e6  # beyond this, the teacher is so near nothing that a ratio to it says nothing

Ratio = Annotated[float, Meta(ge=-LARGEST_RATIO, le=LARGEST_RATIO)]


class Interval(Record, frozen=True):
    """A paired bootstrap interval of the difference between two networks on the same examples.

    Attributes:
        metric: name of the metric, the task's main one.
        difference: first network's metric less the second's, on the examples as they are.
        low: 2.5th percentile of the resampled differences.
        high: 97.5th percentile.
        resamples: how many were drawn.
    """

    metric: Text
    difference: Ratio
    low: Ratio | None
    high: Ratio | None
    resamples: Positive


@dataclass(frozen=True)
class Spread:
    """A score over several seeds.

    Attributes:
        mean: of the seeds' scores.
        deviation: their standard deviation (of a sample: divided by one less than the seeds).
        seeds: how many there are, at least two.
    """

    mean: float
    deviation: float
    seeds: int

    @classmethod
    def of(cls, scores: Sequence[float]) -> Spread | None:
        """The spread of two scores or more; None of fewer."""
        return cls(fmean(scores), stdev(scores), len(scores)) if len(scores) > 1 else None


def retention(value: float, teacher: float) -> float | None:
    """Metric over the teacher's; None where the teacher's is 0, or next to it."""
    return _ratio(value, teacher)


def retention_above_floor(value: float, teacher: float, floor: float) -> float | None:
    """(metric - floor) over (teacher - floor); None where the teacher is at its floor, or next to it."""
    return _ratio(value - floor, teacher - floor)


def _ratio(above: float, below: float) -> float | None:
    return above / below if abs(above) < LARGEST_RATIO * abs(below) else None


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
    first, labels = paired(task, first_logits, labels)
    second, _ = paired(task, second_logits, labels)
    metric = task.main_metric
    difference = value_of(metric, first, labels) - value_of(metric, second, labels)
    generator = np.random.default_rng(seed)
    resampled = _resampled_correlations if task.is_regression else _resampled_counts
    differences = resampled(metric, first, second, labels, resamples, generator)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(differences, [tail, 100 - tail])
    return Interval(metric, float(difference), float(low), float(high), resamples)


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
    if metric in SHARES:  # of a row, only whether it is correct matters, however many classes there are
        first, second, labels = (first == labels).astype(int), (second == labels).astype(int), np.ones_like(labels)
    classes = number_of_classes(first, second, labels)
    kinds, counts = np.unique(np.stack([labels, first, second]), axis=1, return_counts=True)
    differences = []
    block = max(1, BLOCK_CELLS // (classes * classes + len(counts)))
    for start in range(0, resamples, block):
        drawn = generator.multinomial(len(labels), counts / counts.sum(), size=min(block, resamples - start))
        values = []
        for answers in kinds[1:]:
            confusion = np.zeros((classes * classes, len(drawn)))
            np.add.at(confusion, kinds[0] * classes + answers, drawn.T.astype(np.float64))
            values.append(OF_CONFUSIONS[metric](confusion.T.reshape(-1, classes, classes)))
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
        differences.append(correlations(metric, first[rows], drawn) - correlations(metric, second[rows], drawn))
    return np.concatenate(differences)
