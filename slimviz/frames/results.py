"""What a study says of its networks: scores, speed, and all that Overview shows of one budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pruning.data.task import SHARES
from pruning.measure.fidelity import Fidelity
from pruning.measure.intervals import Interval, Spread
from pruning.study import Result, Speed, Study
from pruning.variants import TEACHER, Variant, one_shot
from slimviz.frames.provenance import conditions_text

FLOP_LENGTH = 32  # tokens: the length at which FLOPs are counted and speed-ups quoted
SPEED_LENGTHS = (FLOP_LENGTH, "real", 64, 128, 16)  # which measured length stands for the speed-up, best first


@dataclass(frozen=True)
class Scored:
    """One network's score by the task's main metric; None where it was not measured.

    Attributes:
        score: the main metric.
        correct: how many were right, where that is what the metric counts.
        count: examples.
        size_bytes: on disk.
    """

    score: float | None = None
    correct: int | None = None
    count: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class Summary:
    """One study at one budget; None where a number was not measured.

    Attributes:
        key: the study's in the URL.
        title: the study as printed.
        metric: the main one, as printed.
        is_rival: whether another method than SlimViz's own chose what stays.
        is_labelled: whether labels say what is right; without, the main metric compares with the teacher's answers.
        is_regression: whether answers are scores.
        budget: name of the budget.
        split: that all of this was measured on.
        floor: what knowing nothing scores.
        teacher: the teacher's score.
        slim: the slim network's.
        one_shot: the same before recovery.
        fidelity: how closely the slim network follows its teacher, labels aside.
        others: further metrics: title, the slim network's value, the teacher's, the floor where it is known.
        interval: of the difference to the teacher.
        spread: of the slim network's main metric over the seeds that are stored.
        seeds: what networks of further seeds differ from the teacher by, in units of the metric.
        retention: the slim network's metric over the teacher's.
        retention_above_floor: the same above the floor.
        total_density: of the slim network.
        encoder_density: of its layers.
        flop_ratio: to the teacher's.
        speedup_1: measured at batch 1.
        speedup_32: measured at batch 32.
        conditions: what the speed was measured on.
        ships_weights: whether the slim network's weights are here.
    """

    key: str
    title: str
    metric: str
    is_rival: bool
    is_labelled: bool
    is_regression: bool
    budget: str
    split: str | None
    floor: float
    teacher: Scored
    slim: Scored
    one_shot: Scored
    fidelity: Fidelity | None
    others: tuple[tuple[str, float | None, float | None, float | None], ...]
    interval: Interval | None
    spread: Spread | None
    seeds: tuple[float, ...]
    retention: float | None
    retention_above_floor: float | None
    total_density: float | None
    encoder_density: float | None
    flop_ratio: float | None
    speedup_1: float | None
    speedup_32: float | None
    conditions: str | None
    ships_weights: bool

    @property
    def has_weak_teacher(self) -> bool:
        """Whether what is kept of the teacher says little, since the teacher is hardly better than knowing nothing."""
        return self.is_labelled and is_near_floor(self.teacher, self.floor)


def is_near_floor(scored: Scored, floor: float) -> bool:
    """Whether a score is not more than two standard errors of the floor above it; False where nothing was counted."""
    if scored.correct is None or scored.score is None or not scored.count:
        return False
    return scored.score - floor <= 2 * math.sqrt(max(0.0, floor * (1 - floor)) / scored.count)


def study_title(key: str, study: Study) -> str:
    """A study as printed: its task, its method where that is a rival, and its key where that says more."""
    if study.is_by_rival and key == f"{study.task.name}-{study.method}":
        return f"{study.task.title} by {study.method}"
    return study.task.title if key == study.task.name else f"{study.task.title} ({key})"


def main_speed(study: Study, variant: Variant, batch: int) -> Speed | None:
    """A variant's measured speed at a batch size, at 32 tokens where that was measured."""
    rows = [row for row in study.document.speed if row.variant == variant and row.batch == batch]
    rows.sort(key=lambda row: SPEED_LENGTHS.index(row.length) if row.length in SPEED_LENGTHS else 99)
    return rows[0] if rows else None


def summarise(key: str, study: Study, budget: str) -> Summary:
    """All that Overview says about one study at one budget."""
    task, variant = study.task, study.final(budget)
    result, cut = study.result(variant), study.result(one_shot(budget))
    teacher = study.result(TEACHER, result.split if result else None)
    either = result or teacher
    densities = result or study.selections.get(budget)
    speed = {batch: main_speed(study, variant, batch) for batch in (1, 32)}
    timed = speed[32] or speed[1]
    return Summary(
        key=key,
        title=study_title(key, study),
        metric=task.metric_title(),
        is_rival=study.is_by_rival,
        is_labelled=task.is_labelled,
        is_regression=task.is_regression,
        budget=budget,
        split=either.split if either else None,
        floor=study.document.floor[task.main_metric],
        teacher=_scored(study, teacher),
        slim=_scored(study, result),
        one_shot=_scored(study, cut),
        fidelity=result.fidelity if result else None,
        others=tuple(
            (task.metric_title(name), _metric(result, name), _metric(teacher, name), study.document.floor.get(name))
            for name in task.metrics[1:]
        ),
        interval=result.interval if result else None,
        spread=study.spread(variant, result.split) if result else None,
        seeds=_seeds(study, variant, result, teacher),
        retention=result.retention if result else None,
        retention_above_floor=result.retention_above_floor if result else None,
        total_density=densities.total_density if densities else None,
        encoder_density=densities.encoder_density if densities else None,
        flop_ratio=result.flop_ratio if result else None,
        speedup_1=speed[1].speedup if speed[1] else None,
        speedup_32=speed[32].speedup if speed[32] else None,
        conditions=conditions_text(timed) if timed else None,
        ships_weights=study.weights(variant) is not None,
    )


def _seeds(study: Study, variant: Variant, own: Result | None, teacher: Result | None) -> tuple[float, ...]:
    """Differences to the teacher of the networks that differ from a variant in their seed alone."""
    if own is None or teacher is None:
        return ()
    main = study.task.main_metric
    rows = [row for row in study.results if row.split == own.split and row.variant.seed is not None]
    alike = [row for row in rows if row.variant.replace(seed=None) == variant]
    return tuple(row.metrics[main] - teacher.metrics[main] for row in alike)


def _metric(result: Result | None, name: str) -> float | None:
    return result.metrics[name] if result else None


def _scored(study: Study, result: Result | None) -> Scored:
    if result is None:
        return Scored()
    metric = study.task.main_metric
    correct = result.correct if metric in SHARES else None
    return Scored(result.metrics[metric], correct, result.count, result.size_bytes)
