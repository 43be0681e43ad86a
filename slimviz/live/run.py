"""One live run: teacher and slim answer the same texts, batch by batch, and are timed in turns.

No Streamlit: a thread consumes `LiveRun.steps()` and may be stopped between any two. What was done by then is whole:
both networks have answered the same examples, so `rows()` compares them fairly after a stop, too.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tasks import scored_as
from pruning.measure.latency import summary
from pruning.study import Study
from pruning.variants import TEACHER
from slimviz.frames.results import study_title
from slimviz.live import answers
from slimviz.live.answers import batch_of
from slimviz.live.examples import Drawn
from slimviz.live.networks import Network, all_threads, computing
from slimviz.live.others_at_work import OthersAtWork, are_in_the_way
from slimviz.live.runtimes import TORCH
from slimviz.live.speedup import speedup_interval

LENGTHS = (16, 32, 64, 128)
BATCHES = (1, 8, 32)
SPEED_ROUNDS = 30
FEWEST_ROUNDS = 5
SPEED_SECONDS = 20.0  # after this, the rounds done so far have to do


@dataclass(frozen=True)
class RunSettings:
    """What a person chose.

    Attributes:
        batch: texts a batch.
        length: tokens a text for the timing, or None to time the real texts themselves.
    """

    batch: int
    length: int | None


@dataclass(frozen=True)
class Step:
    """Progress after a batch: the share done, and what has been done in words."""

    share: float
    text: str


class LiveRun:
    """Teacher and slim on the same examples, in turns.

    Two threads meet here: one computes, a page asks for what is done or to stop. So a batch is recorded as a whole, for
    all networks at once.

    Args:
        study: whose networks they are.
        networks: the teacher first, where it is there.
        drawn: examples, with labels or without, or None to measure speed alone (then `settings.length` must be given).
        settings: what a person chose.
    """

    def __init__(
        self, study: Study, networks: Sequence[Network], drawn: Drawn | None, settings: RunSettings, split: str
    ) -> None:
        self.study, self.networks, self.drawn = study, tuple(networks), drawn
        self.settings, self.split = settings, split
        self.is_complete = False
        self.started = datetime.now(UTC)
        self.answered = 0
        self._others: OthersAtWork | None = None
        self._stop = threading.Event()
        self._guard = threading.Lock()  # around what follows
        self._logits: list[list[np.ndarray]] = [[] for _ in self.networks]
        self._seconds: list[list[tuple[float, int]]] = [[] for _ in self.networks]  # and how many texts they took
        self._truncated = [0] * len(self.networks)
        self._tokens = [0] * len(self.networks)

    def stop(self) -> None:
        """Have `steps` end after the batch in hand; what is recorded by now is what `rows` gives."""
        self._stop.set()

    def steps(self) -> Iterator[Step]:
        """Do the work, a batch at a time, until all is done or `stop` is called."""
        self._others = OthersAtWork()
        size = self.settings.batch
        total = 0 if self.drawn is None else len(self.drawn.examples)
        batches = -(-total // size)
        rounds = 0 if self.settings.length is None else SPEED_ROUNDS
        for number, batch in enumerate(self._batches(size)):
            if self._stop.is_set():
                return
            self._answer(batch, number)
            text = f"{self.answered:,} of {total:,} examples answered by {self._who()}"
            yield Step((number + 1) / (batches + rounds), text)
        began = time.monotonic()
        for number in range(rounds):
            if self._stop.is_set():
                return
            self._time(self.settings.length or 0, number)
            yield Step((batches + number + 1) / (batches + rounds), f"timing: round {number + 1} of {rounds}")
            if number + 1 >= FEWEST_ROUNDS and time.monotonic() - began > SPEED_SECONDS:
                break
        self.is_complete = True

    def _batches(self, size: int) -> Iterator[Examples]:
        if self.drawn is not None:
            examples = self.drawn.examples
            for start in range(0, len(examples), size):
                yield examples.take(range(start, min(start + size, len(examples))))

    def _who(self) -> str:
        return "both networks" if len(self.networks) == 2 else "the network"

    def _answer(self, batch: Examples, number: int) -> None:
        done: dict[int, tuple[np.ndarray, float, int, int]] = {}
        with computing():
            for index in in_turns(number, len(self.networks)):
                network = self.networks[index]
                inputs, truncated, tokens = batch_of(network, batch)
                if number == 0:
                    answers.forward(network, inputs)  # the first pass at a size also makes room for it
                done[index] = *answers.forward(network, inputs), truncated, tokens
        with self._guard:
            self.answered += len(batch)
            for index, (logits, seconds, truncated, tokens) in done.items():
                self._logits[index].append(logits)
                self._truncated[index] += truncated
                self._tokens[index] += tokens
                if self.settings.length is None:
                    self._seconds[index].append((seconds, len(batch)))

    def _time(self, length: int, number: int) -> None:
        from pruning.measure.speed import made_up

        done: dict[int, float] = {}
        with computing():
            for index in in_turns(number, len(self.networks)):
                network = self.networks[index]
                inputs = made_up(network, self.settings.batch, length)
                if number == 0:
                    answers.forward(network, inputs)
                done[index] = answers.forward(network, inputs)[1]
        with self._guard:
            for index, seconds in done.items():
                self._seconds[index].append((seconds, self.settings.batch))

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a network of what has been recorded so far; empty where nothing has."""
        with self._guard:
            if not self.answered and not self._seconds[0]:
                return []
            timed = [_latency(self._full_batches(index)) for index in range(len(self.networks))]
            rows = []
            for index, network in enumerate(self.networks):
                row = self._what(network) | self._scores(index) | timed[index]
                if self.networks[0].variant == TEACHER and timed[index]:
                    row["speedup"] = timed[0]["median_ms"] / timed[index]["median_ms"]
                    first, own = ([entry[0] for entry in self._full_batches(number)] for number in (0, index))
                    row["speedup_low"], row["speedup_high"] = speedup_interval(first, own)
                rows.append(row)
            return rows

    def _full_batches(self, index: int) -> list[tuple[float, int]]:
        """Seconds and texts of a network's timed batches that were full; of all, where none was."""
        timed = self._seconds[index]
        return [entry for entry in timed if entry[1] == self.settings.batch] or list(timed)

    def _what(self, network: Network) -> dict[str, Any]:
        return {
            "study": self.study.name,
            "title": study_title(self.study.name, self.study),
            "task": self.study.task.name,
            "network": network.variant.name,
            "status": "complete" if self.is_complete else "stopped",
            "started": self.started.isoformat(timespec="seconds"),
            **conditions(self._others, network.device, network.threads),
            "runtime": network.runtime,
            "onnxruntime": None if network.runtime == TORCH.name else importlib.metadata.version("onnxruntime"),
            "data": None if self.drawn is None else self.drawn.title,
            "split": None if self.drawn is None else self.split,
            "examples": self.answered,
            "examples_available": None if self.drawn is None else self.drawn.available,
            "batch": self.settings.batch,
            "length": "real texts" if self.settings.length is None else self.settings.length,
        }

    def _scores(self, index: int) -> dict[str, Any]:
        """Metrics, counts and, but for the teacher, the paired interval against it.

        Without labels the teacher's answers take their place; it has no score itself then.
        """
        from pruning.measure.metrics import floor, predictions
        from pruning.measure.scoring import score_logits

        if self.drawn is None or not self.answered:
            return {}
        examples = self.drawn.examples
        task, labels = scored_as(self.study.task, is_labelled=examples.is_labelled), examples.labels[: self.answered]
        variants = [network.variant for network in self.networks]
        logits = {variant: np.concatenate(parts) for variant, parts in zip(variants, self._logits, strict=True)}
        lengths = {
            variant: (tokens / self.answered, truncated / self.answered)
            for variant, tokens, truncated in zip(variants, self._tokens, self._truncated, strict=True)
        }
        if not examples.is_labelled:
            if variants[index].is_teacher or TEACHER not in logits:
                return {"tokens_per_text": lengths[variants[index]][0], "truncated": self._truncated[index]}
            labels = predictions(task, logits[TEACHER])
        scored = score_logits(task, logits, labels, self.split, lengths=lengths)[index]
        row: dict[str, Any] = {
            "metric": task.main_metric,
            **scored.metrics,
            "correct": scored.correct,
            "floor": floor(task, labels)[task.main_metric],
            "tokens_per_text": scored.tokens_per_text,
            "truncated": self._truncated[index],
        }
        if examples.is_labelled and scored.fidelity is not None:
            agreed = {"agreement": scored.fidelity.agreement, "correlation": scored.fidelity.correlation}
            row |= {name: value for name, value in agreed.items() if value is not None}
        if scored.interval is not None:
            row |= {
                "difference": scored.interval.difference,
                "low": scored.interval.low,
                "high": scored.interval.high,
                "resamples": scored.interval.resamples,
                "retention": scored.retention,
                "retention_above_floor": scored.retention_above_floor,
            }
        return row


def conditions(others: OthersAtWork | None, device: str, threads: int | None = None) -> dict[str, Any]:
    """What a run was measured on, and what others took of it meanwhile.

    Args:
        others: since the run began; None before.
        device: that the networks computed on.
        threads: of the processor that they computed with; None for `all_threads`.
    """
    from pruning.measure.environment import environment

    here, cores = environment(), None if others is None else others.cores()
    used = threads or all_threads()
    return {
        "device": device,
        "hardware": here.hardware,
        "threads": used,
        "others_cores": cores,
        "is_busy": are_in_the_way(cores, used) and device == "cpu",
        "torch": here.libraries["torch"],
        "transformers": here.libraries["transformers"],
    }


def in_turns(number: int, count: int) -> list[int]:
    """Who goes first changes each round, so that neither always finds the caches warm."""
    order = list(range(count))
    return order[number % count :] + order[: number % count]


def _latency(chosen: Sequence[tuple[float, int]]) -> dict[str, Any]:
    """Median and 95th percentile of batches, and texts a second."""
    if not chosen:
        return {}
    seconds = [entry[0] for entry in chosen]
    timed_ms = summary(seconds)
    return {
        "median_ms": timed_ms.median_ms,
        "p95_ms": timed_ms.p95_ms,
        "timed_batches": timed_ms.runs,
        "texts_per_second": sum(entry[1] for entry in chosen) / sum(seconds),
    }
