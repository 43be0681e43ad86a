"""Metrics of networks on labelled examples: one way to score a row, whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tasks import Task
from pruning.measure.fidelity import Fidelity, fidelity
from pruning.measure.intervals import Interval, Ratio, paired_bootstrap, retention, retention_above_floor
from pruning.measure.logits import encoded_logits
from pruning.measure.metrics import Metrics, correct, floor, metrics
from pruning.measure.network import Network
from pruning.records import Count, NonNegative, Positive, Record, Share, Text
from pruning.variants import TEACHER, Variant


class Score(Record, frozen=True, kw_only=True):
    """How one variant did on one split; names as in a study's results.

    Attributes:
        variant: which network.
        split: its examples' name.
        count: examples.
        correct: how many were right; None in a regression.
        metrics: by name, all of the task's.
        interval: of the difference to the teacher; None for the teacher and where there is none.
        retention: main metric over the teacher's; None where that is 0 and where there is none.
        retention_above_floor: the same above the floor; None where the teacher is at it.
        fidelity: to the teacher; None for the teacher and where there is none.
        tokens_per_text: mean, special tokens included.
        truncated_share: of the examples.
    """

    variant: Variant
    split: Text
    count: Positive
    correct: Count | None
    metrics: Metrics
    interval: Interval | None = None
    retention: Ratio | None = None
    retention_above_floor: Ratio | None = None
    fidelity: Fidelity | None = None
    tokens_per_text: NonNegative
    truncated_share: Share


def score(
    task: Task,
    networks: Mapping[Variant, Network],
    examples: Examples,
    split: str,
    *,
    seed: int = 0,
    progress: Callable[[Variant, int, int], None] | None = None,
) -> list[Score]:
    """Have networks answer labelled examples and score them, in their order.

    Args:
        task: what the labels mean.
        networks: the teacher among them is what the others are compared with, where it is there.
        examples: labelled examples.
        split: their name, as stored.
        seed: of the resampling; the study's own.
        progress: called with (variant, examples done, all).
    """
    logits: dict[Variant, np.ndarray] = {}
    lengths: dict[Variant, tuple[float, float]] = {}
    for variant, network in networks.items():

        def tell(done: int, total: int, variant: Variant = variant) -> None:
            if progress is not None:
                progress(variant, done, total)

        encoded = network.encode(examples)
        logits[variant] = encoded_logits(network.model, encoded, device=network.device, progress=tell)
        lengths[variant] = (encoded.tokens_per_text, encoded.truncated_share)
    return score_logits(task, logits, examples.labels, split, lengths=lengths, seed=seed)


def score_logits(
    task: Task,
    logits: Mapping[Variant, np.ndarray],
    labels: np.ndarray,
    split: str,
    *,
    lengths: Mapping[Variant, tuple[float, float]],
    seed: int = 0,
) -> list[Score]:
    """Score networks that have answered already.

    Args:
        task: what the labels mean.
        logits: (examples, labels) of each network.
        labels: (examples,) class numbers or scores.
        split: the examples' name.
        lengths: mean tokens a text and share of texts that were cut, of each network.
        seed: of the resampling.

    Raises:
        DataError: if there is nothing to score, or logits are not finite.
    """
    teacher = logits.get(TEACHER)
    main = task.main_metric
    rows = []
    for variant, own in logits.items():
        values = metrics(task, own, labels)
        compared: dict[str, Any] = {}
        if teacher is not None:
            best = metrics(task, teacher, labels)[main]
            compared = {
                "retention": retention(values[main], best),
                "retention_above_floor": retention_above_floor(values[main], best, floor(task, labels)[main]),
            }
        if teacher is not None and variant != TEACHER:
            compared |= {
                "interval": paired_bootstrap(task, own, teacher, labels, seed=seed),
                "fidelity": fidelity(task, own, teacher),
            }
        tokens, truncated = lengths[variant]
        rows.append(
            Score(
                variant=variant,
                split=split,
                count=len(labels),
                correct=correct(task, own, labels),
                metrics=values,
                tokens_per_text=tokens,
                truncated_share=truncated,
                **compared,
            )
        )
    return rows
