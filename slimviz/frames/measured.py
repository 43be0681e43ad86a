"""A small network as it was measured, and seeds of one together: what charts of trade-offs are made of (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from pruning.measure.intervals import Interval
from pruning.methods.registry import Family
from slimviz.theme import thread_text

BATCHES = (1, 32)
TEACHER_KEY = "teacher"


@dataclass(frozen=True)
class Method:
    """What a line of the chart stands for.

    Attributes:
        key: in the URL.
        title: as printed.
        family: "structural" (smaller matrices), "unstructured" (zeros) or "other".
        place: within its family, which its colour follows.
        is_teacher: whether this is a dense network that others are compared with.
    """

    key: str
    title: str
    family: Family
    place: int
    is_teacher: bool = False


@dataclass(frozen=True)
class Network:
    """One network as it was measured.

    Attributes:
        method: see `Method`.
        budget: its name; None for a teacher.
        seed: of its training where that is not the study's own.
        scores: by measure, see `frames.axes`; None where a share of the teacher's cannot be had.
        costs: by axis: shares of the teacher's, and milliseconds.
        amounts: parameters, bytes and FLOPs themselves, by axis.
        machine: that the milliseconds were measured on; None where they were not.
        interval: of the difference to its teacher.
        steps: batches that its training took; None of a study's, which does not store that.
        minutes: spent on what is its method's own; None likewise.
    """

    method: Method
    budget: str | None
    seed: int | None
    scores: Mapping[str, float | None]
    costs: Mapping[str, float | None]
    amounts: Mapping[str, float]
    machine: str | None
    interval: Interval | None
    steps: int | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Point:
    """Networks that differ in their seed alone: the mean of them.

    Attributes:
        networks: at least one; the first is the one that is described.
    """

    networks: tuple[Network, ...]

    @property
    def first(self) -> Network:
        """The network with the study's own seed, or the lowest one."""
        return self.networks[0]

    @property
    def method(self) -> Method:
        """Whose point it is."""
        return self.first.method

    @property
    def name(self) -> str:
        """In the URL: "slim-10", "teacher"."""
        return "-".join(filter(None, (self.method.key, self.first.budget)))

    @property
    def is_swept(self) -> bool:
        """Whether a sweep made it: its networks have one teacher, where each study has its own."""
        return self.first.steps is not None

    @property
    def machine(self) -> str | None:
        """That its milliseconds were measured on."""
        return next((network.machine for network in self.networks if network.machine), None)

    def cost(self, axis: str) -> float | None:
        """Mean over the seeds that it was measured for."""
        return _mean(network.costs.get(axis) for network in self.networks)

    def score(self, measure: str) -> float | None:
        """Likewise."""
        return _mean(network.scores.get(measure) for network in self.networks)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def machine_text(hardware: str, threads: int, length: int | str) -> str:
    """What milliseconds hold for: others cannot be compared with them."""
    return f"{hardware}, {thread_text(threads)}, {'real texts' if length == 'real' else f'{length} tokens'}"
