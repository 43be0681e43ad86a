"""What a profile finds: milliseconds and speed-ups, the best against the best, and how alike answers are."""

from __future__ import annotations

from typing import Literal

from pruning.measure.blocks import Speedup
from pruning.measure.fidelity import Fidelity
from pruning.measure.intervals import Interval
from pruning.measure.metrics import Metrics
from pruning.records import AboveZero, Count, Positive, Record, Sha256, Text


class Row(Record, frozen=True, kw_only=True):
    """Milliseconds of one network in one runtime, timed in turns with all others of its size.

    Attributes:
        network: the variant's name.
        runtime: its name.
        threads: of the processor.
        batch: texts a batch.
        length: tokens of each text, or "real" for a probe set's texts, as each network's tokenizer spells them.
        median_ms: over turns.
        speedup: against the teacher in the reference runtime.
        turns: how many.
    """

    network: Text
    runtime: Text
    threads: Positive
    batch: Positive
    length: Positive | Literal["real"]
    median_ms: AboveZero
    speedup: Speedup
    turns: Positive


class Best(Record, frozen=True, kw_only=True):
    """The fastest small network against the fastest dense one.

    Attributes:
        threads: of the processor.
        batch: texts a batch.
        length: as in `Row`.
        dense: the teacher's fastest runtime.
        small: the small network's.
        speedup: of the second against the first, in the same turns.
    """

    threads: Positive
    batch: Positive
    length: Positive | Literal["real"]
    dense: Text
    small: Text
    speedup: Speedup


class Alike(Record, frozen=True, kw_only=True):
    """How alike a network answers in a runtime and in the reference, over all texts of the trial.

    Attributes:
        network: the variant's name.
        runtime: its name.
        texts: how many.
        fidelity: to the same network in the reference runtime.
    """

    network: Text
    runtime: Text
    texts: Positive
    fidelity: Fidelity


class Scored(Record, frozen=True, kw_only=True):
    """How right a network's answers are in a runtime, by the labels of all texts of the trial.

    Attributes:
        network: the variant's name.
        runtime: its name.
        count: texts.
        correct: how many were right; None in a regression.
        metrics: by name, all of the task's.
        interval: of the difference to the teacher in the reference runtime; None for that one itself.
    """

    network: Text
    runtime: Text
    count: Positive
    correct: Count | None
    metrics: Metrics
    interval: Interval | None


class Profile(Record, frozen=True, kw_only=True):
    """All that was measured.

    Attributes:
        rows: by threads, length, batch, network and runtime.
        best: by threads, length and batch; none where there is no small network.
        alike: by network and runtime.
        scores: likewise; None where no labels were asked.
        texts: origin of the real ones.
        texts_sha256: of these and their labels.
        missing: runtimes that cannot be had here, with the reason.
    """

    rows: tuple[Row, ...]
    best: tuple[Best, ...]
    alike: tuple[Alike, ...]
    scores: tuple[Scored, ...] | None
    texts: Text
    texts_sha256: Sha256
    missing: dict[str, str]
