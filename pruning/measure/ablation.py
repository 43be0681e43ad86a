"""Does importance tell the truth? What a network still scores with heads gated off in the order of each criterion.

A criterion is as good as its curves: heads gated off least important first should hurt late, most important first
early, and random orders lie between the two. Records and what follows from them (no torch); `gating` measures them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from pruning.measure.intervals import retention_above_floor
from pruning.measure.metrics import Metric
from pruning.records import Count, Name, Positive, Record, Seed, Sha256, Text

MARGIN = 0.02  # of the score with all heads: how much larger another area must be to count as better
Ablated = Literal["teacher", "slimmed"]
Points = tuple[Metric, ...]


class Curves(Record, frozen=True, kw_only=True):
    """The main metric along one criterion's order of heads, a point for each count of `Ablation.gated`.

    Attributes:
        least_first: the least important heads are gated off first.
        most_first: the most important heads are.
    """

    least_first: Points
    most_first: Points


class Ablation(Record, frozen=True, kw_only=True):
    """All curves of one network on one set of examples.

    Attributes:
        network: "teacher" or "slimmed", with its factors, before any cut.
        split: the examples' name; "train" for the rows that a criterion is chosen on.
        rows: examples.
        sha256: of their texts and labels.
        seed: that the rows were drawn with where there were more, and the random orders.
        precision: that the networks computed in.
        metric: the task's main one.
        floor: what knowing nothing scores on these rows.
        gated: how many heads were off at each point, from 0 to all.
        curves: by criterion.
        random: orders drawn at random, each as one curve: the band.
    """

    network: Ablated
    split: Text
    rows: Positive
    sha256: Sha256
    seed: Seed
    precision: Literal["float32", "bfloat16"]
    metric: Text
    floor: Metric
    gated: tuple[Count, ...]
    curves: dict[Name, Curves]
    random: tuple[Points, ...] = ()

    @property
    def whole(self) -> float:
        """The score with all heads."""
        return next(iter(self.curves.values())).least_first[0]

    @property
    def areas(self) -> dict[str, float]:
        """Criterion -> area between its two curves, best first: the mean over counts of least first minus most first.

        In units of the metric, a score below the floor counted as the floor: a network that knows nothing may as well
        be wrong on purpose (on MRPC at 0.40, where always saying yes is 0.68), which says nothing of the order.
        0 is what a random order has on average; below that, an order is upside down.
        """

        def area(both: Curves) -> float:
            least, most = np.maximum(both.least_first, self.floor), np.maximum(both.most_first, self.floor)
            return float((least - most).mean())

        found = {name: area(both) for name, both in self.curves.items()}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def best(self) -> str:
        """The criterion with the largest area; of equal ones (of one order) the first stored."""
        return next(iter(self.areas))

    def kept(self, criterion: str) -> float:
        """Area under the least-first curve: mean score over all counts as a share of the score with all heads."""
        return _share(self.curves[criterion].least_first, self.whole)

    @property
    def kept_at_random(self) -> tuple[float, ...]:
        """The same of each random order."""
        return tuple(_share(points, self.whole) for points in self.random)

    def kept_at_half(self, criterion: str) -> float | None:
        """What is left above the floor, as a share, with the least important half of the heads off."""
        return self._above_floor_at_half(self.curves[criterion].least_first)

    @property
    def kept_at_half_at_random(self) -> tuple[float | None, ...]:
        """The same of each random order."""
        return tuple(map(self._above_floor_at_half, self.random))

    def _above_floor_at_half(self, points: Points) -> float | None:
        half = int(np.abs(np.asarray(self.gated) * 2 - self.gated[-1]).argmin())
        return retention_above_floor(points[half], self.whole, self.floor)

    def better_than(self, criterion: str) -> list[str]:
        """Criteria whose area is larger by more than `MARGIN` of the score with all heads."""
        areas = self.areas
        return [name for name, area in areas.items() if area - areas[criterion] > MARGIN * abs(self.whole)]

    def beats_chance(self, criterion: str) -> bool | None:
        """Whether every random order keeps less, over all counts; None where none was measured."""
        return self.kept(criterion) > max(self.kept_at_random) if self.random else None


def _share(points: Points, whole: float) -> float:
    return float(np.mean(points)) / whole if whole else 0.0


def counts(heads: int) -> tuple[int, ...]:
    """How many of so many heads are gated off at each point: a twelfth more each time, from none to all."""
    return tuple(sorted({round(share * heads / 12) for share in range(13)}))


def order_of(values: np.ndarray) -> np.ndarray:
    """Numbers of the heads, layer by layer from 0, least important first; ties go to the earlier head."""
    return np.argsort(values.ravel(), kind="stable")


def truest(ablations: tuple[Ablation, ...]) -> str | None:
    """The criterion that is true for the task: best on the teacher's training rows, never on rows reported on.

    None where no curves of training rows are stored.
    """
    return next((one.best for one in ablations if one.network == "teacher" and one.split == "train"), None)
