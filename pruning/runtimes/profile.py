"""A teacher and a small network in every runtime of this machine's CPU: milliseconds, speed-ups, and like answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pruning.data.task import Task
from pruning.errors import MeasureError
from pruning.export import Trial
from pruning.measure.blocks import Blocks, in_blocks, speedup
from pruning.measure.fidelity import fidelity
from pruning.measure.intervals import paired_bootstrap
from pruning.measure.latency import Call, using_threads
from pruning.measure.metrics import correct, metrics
from pruning.measure.network import Network
from pruning.measure.speed import Length, made_up, real_texts
from pruning.runtimes.kind import Opened
from pruning.runtimes.registry import REFERENCE, RUNTIMES
from pruning.runtimes.rows import Alike, Best, Profile, Row, Scored
from pruning.variants import TEACHER, Variant

BATCHES, LENGTHS = (1, 8, 32), (16, 64)

Key = tuple[Variant, str]  # network, runtime's name
DENSE: Key = (TEACHER, REFERENCE.name)


@dataclass(frozen=True)
class Sizes:
    """What is timed.

    Attributes:
        batches: texts a batch; of real ones, as far as there are so many.
        lengths: tokens of made-up texts; None for those of `LENGTHS` that all networks read, or the longest.
        threads: of the processor; each count is measured by itself.
        runtimes: names; the reference is always among them.
        seconds: for each batch and length.
        is_scored: whether answers are held against the labels of the real texts as well.
    """

    threads: Sequence[int]
    batches: Sequence[int] = BATCHES
    lengths: Sequence[int] | None = None
    runtimes: Sequence[str] = tuple(RUNTIMES)
    seconds: float = 10.0
    is_scored: bool = False

    def tokens(self, networks: Mapping[Variant, Network]) -> tuple[int, ...]:
        """Lengths to time.

        Raises:
            MeasureError: some network does not read texts that long.
        """
        most = min(network.max_length for network in networks.values())
        if self.lengths is None:
            return tuple(length for length in LENGTHS if length <= most) or (most,)
        for length in self.lengths:
            if length > most:
                raise MeasureError(f"profile: texts of {length} tokens, expected at most {most}, as all networks read")
        return tuple(self.lengths)


def profile(
    networks: Mapping[Variant, Network], trial: Trial, sizes: Sizes, say: Callable[[str], None] = lambda line: None
) -> Profile:
    """Measure networks in every runtime that can be had here.

    Args:
        networks: the teacher, and at most one small network, on the CPU.
        trial: real texts, and the task that says what answers mean.
        sizes: what is timed.
        say: called with what is being done.

    Raises:
        MeasureError: texts are longer than a network reads.
    """
    lengths: list[Length] = [*sizes.tokens(networks), "real"]
    bench = _Bench(networks, trial, sizes, say)
    rows: list[Row] = []
    best: list[Best] = []
    logits: dict[Key, np.ndarray] = {}
    for threads in sizes.threads:
        opened = bench.opened(threads)
        logits = logits or bench.logits(opened, threads)
        for length in lengths:
            for batch in sizes.batches:
                if length == "real" and batch > len(trial.examples):
                    continue
                what = "real texts" if length == "real" else f"{length} tokens"
                say(f"batch {batch}, {what}, {counted(threads)}")
                calls = bench.calls(opened, batch, length)
                found = in_blocks(calls, Blocks(seconds=sizes.seconds, threads=threads))
                size = {"threads": threads, "batch": batch, "length": length}
                rows += [_row(key, found, size) for key in found]
                best += _best(found, size)
    return Profile(
        rows=tuple(rows),
        best=tuple(best),
        alike=_alike(trial.task, logits),
        scores=_scores(trial, logits) if sizes.is_scored else None,
        texts=trial.examples.origin,
        texts_sha256=trial.examples.sha256,
        missing=bench.missing,
    )


def counted(threads: int) -> str:
    """Threads in words."""
    return f"{threads} thread{'s' if threads != 1 else ''}"


@dataclass(frozen=True)
class _Bench:
    """What is measured, and what turned out to be missing."""

    networks: Mapping[Variant, Network]
    trial: Trial
    sizes: Sizes
    say: Callable[[str], None]
    missing: dict[str, str] = field(default_factory=dict)

    def opened(self, threads: int) -> dict[Key, Opened]:
        """Networks in their runtimes; one that a network cannot be had in is missing for all."""
        found: dict[Key, Opened] = {}
        for name, runtime in RUNTIMES.items():
            if name in self.missing or (name not in self.sizes.runtimes and runtime is not REFERENCE):
                continue
            self.say(f"{runtime.title}, {counted(threads)}")
            reason = runtime.missing()
            if reason is None:
                try:
                    for variant, network in self.networks.items():
                        found[variant, name] = runtime.opened(network, threads)
                except MeasureError as error:
                    reason = str(error)
            if reason is not None:
                self.missing[name] = reason
                self.say(f"without {runtime.title}: {reason}")
        return {
            (variant, name): found[variant, name]
            for variant in self.networks
            for name in RUNTIMES
            if (variant, name) in found and name not in self.missing
        }

    def calls(self, opened: Mapping[Key, Opened], batch: int, length: Length) -> dict[Key, Call]:
        """One call each, of the turn's number; the same inputs for all runtimes of a network."""
        inputs = {
            variant: real_texts(network, self.trial.examples, batch, Blocks.most)
            if length == "real"
            else [made_up(network, batch, length)]
            for variant, network in self.networks.items()
        }
        calls: dict[Key, Call] = {}
        for key, runs in opened.items():
            answers = [runs(one) for one in inputs[key[0]]]
            calls[key] = lambda turn, answers=answers: answers[turn % len(answers)]()
        return calls

    def logits(self, opened: Mapping[Key, Opened], threads: int) -> dict[Key, np.ndarray]:
        """Each network's answers in each runtime, every text by itself, (texts, labels) float32."""
        import torch

        examples = self.trial.examples
        self.say(f"answers to {len(examples)} texts ({examples.origin})")
        texts = {variant: real_texts(one, examples, 1, len(examples)) for variant, one in self.networks.items()}
        with using_threads(threads), torch.inference_mode():  # what is compiled is compiled for so many
            return {
                key: np.concatenate([torch.as_tensor(runs(one)()).float().numpy() for one in texts[key[0]]])
                for key, runs in opened.items()
            }


def _alike(task: Task, logits: Mapping[Key, np.ndarray]) -> tuple[Alike, ...]:
    """Each network's answers in each runtime beside its own in the reference."""
    return tuple(
        Alike(
            network=variant.name,
            runtime=runtime,
            texts=len(found),
            fidelity=fidelity(task, found, logits[variant, REFERENCE.name]),
        )
        for (variant, runtime), found in logits.items()
    )


def _scores(trial: Trial, logits: Mapping[Key, np.ndarray]) -> tuple[Scored, ...]:
    """Each network's answers in each runtime beside the labels, and beside the teacher's in the reference."""
    task, labels = trial.task, trial.examples.labels
    return tuple(
        Scored(
            network=key[0].name,
            runtime=key[1],
            count=len(labels),
            correct=correct(task, found, labels),
            metrics=metrics(task, found, labels),
            interval=None if key == DENSE else paired_bootstrap(task, found, logits[DENSE], labels),
        )
        for key, found in logits.items()
    )


def _row(key: Key, found: Mapping[Key, np.ndarray], size: Mapping[str, Any]) -> Row:
    variant, runtime = key
    own = found[key]
    return Row(
        network=variant.name,
        runtime=runtime,
        median_ms=float(np.median(own)),
        speedup=speedup(found[DENSE], own),
        turns=len(own),
        **size,
    )


def _best(found: Mapping[Key, np.ndarray], size: Mapping[str, Any]) -> list[Best]:
    """The comparison of the two fastest, or none."""
    dense, small = ([key for key in found if key[0].is_teacher is which] for which in (True, False))
    if not small:
        return []
    first, second = (min(keys, key=lambda key: float(np.median(found[key]))) for keys in (dense, small))
    return [Best(dense=first[1], small=second[1], speedup=speedup(found[first], found[second]), **size)]
