"""Milliseconds of networks, always measured in turns: A B C A B C, so that a busy moment strikes all alike.

All timing holds `TIMING_LOCK`; whoever computes beside it in the same process holds it as well, or timings lie.
torch is imported inside functions, so that taking the lock costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.data.examples import Examples
from pruning.errors import MeasureError

if TYPE_CHECKING:
    import torch

TIMING_LOCK = threading.RLock()  # one for the whole process; held again by its holder without harm
TEACHER = "teacher"
LENGTHS, BATCHES = (16, 32, 64, 128), (1, 32)
RUNS, WARMUP, FEWEST_RUNS = 30, 3, 5
CELL_SECONDS = 30.0  # after this, the rounds done so far have to do; each row says how many there were
REAL_LENGTH = "real"

Timed = Callable[[], Any] | tuple[Any, Mapping[str, Any]]
Progress = Callable[[int, int, str], None]


class Stopped(MeasureError):
    """A measurement was asked to stop before it was done."""


@dataclass(frozen=True)
class Latency:
    """Time of one call, in milliseconds, over `runs` calls after warming up."""

    median_ms: float
    p95_ms: float
    runs: int


def latency(
    networks: Mapping[str, Timed],
    *,
    runs: int = RUNS,
    warmup: int = WARMUP,
    threads: int | None = None,
    device: str = "cpu",
    seconds: float | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Latency]:
    """Time networks in turns on one device.

    Args:
        networks: name -> a function of no arguments, or a network and the keyword arguments of a forward pass.
        runs: timed rounds.
        warmup: rounds before that, not timed.
        threads: of the CPU; those that torch uses by default.
        device: what to wait for before the clock is read.
        seconds: end after this time, though not before five rounds.
        should_stop: asked before each round.

    Raises:
        MeasureError: if there is nothing to time.
        Stopped: if `should_stop` said so.
    """
    if runs < 1 or warmup < 0 or not networks:
        raise MeasureError(f"timing {len(networks)} networks, {runs} runs: expected at least one of each")
    calls = {name: _call(timed) for name, timed in networks.items()}
    taken = _in_turns(
        calls, range(runs), warmup=warmup, threads=threads, device=device, seconds=seconds, should_stop=should_stop
    )
    return {name: summary(values) for name, values in taken.items()}


def summary(seconds: Sequence[float]) -> Latency:
    """Median and 95th percentile."""
    values = 1000 * np.asarray(seconds, dtype=np.float64)
    return Latency(float(np.median(values)), float(np.percentile(values, 95)), len(values))


def _call(timed: Timed) -> Callable[[int], Any]:
    """A function of the round's number."""
    if isinstance(timed, tuple):
        network, inputs = timed
        return lambda _: network(**inputs)
    return lambda _: timed()


def _in_turns(
    calls: Mapping[str, Callable[[int], Any]],
    rounds: Sequence[int],
    *,
    warmup: int,
    threads: int | None,
    device: str,
    seconds: float | None,
    should_stop: Callable[[], bool] | None,
) -> dict[str, list[float]]:
    """Seconds of every call: in each round, all networks once, in their order."""
    import torch

    taken: dict[str, list[float]] = {name: [] for name in calls}
    with TIMING_LOCK, using_threads(threads), torch.inference_mode():
        for number in range(warmup):
            for call in calls.values():
                call(rounds[number % len(rounds)])
        synchronize(device)
        began = perf_counter()
        for done, number in enumerate(rounds):
            if should_stop is not None and should_stop():
                raise Stopped(f"stopped after {done} of {len(rounds)} timed rounds")
            if seconds is not None and done >= FEWEST_RUNS and perf_counter() - began > seconds:
                break
            for name, call in calls.items():
                start = perf_counter()
                call(number)
                synchronize(device)
                taken[name].append(perf_counter() - start)
    return taken


def synchronize(device: str) -> None:
    """Wait until an accelerator has done what it was told; a CPU has when the call returns."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


@contextmanager
def using_threads(threads: int | None) -> Iterator[int]:
    """Have torch compute with so many threads inside; yields how many it uses."""
    import torch

    before = torch.get_num_threads()
    if threads is not None:
        if threads < 1:
            raise MeasureError(f"threads {threads}: expected at least 1")
        torch.set_num_threads(threads)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def speed_table(
    networks: Mapping[str, tuple[Any, Any]],
    examples: Examples | None = None,
    *,
    lengths: Sequence[int] = LENGTHS,
    batches: Sequence[int] = BATCHES,
    runs: int = RUNS,
    warmup: int = WARMUP,
    threads: int | None = None,
    device: str = "cpu",
    max_length: int = 128,
    seconds: float | None = CELL_SECONDS,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[dict[str, Any]]:
    """The rows of a study's ``speed``: every network at every batch and length, and on real texts.

    All networks of a cell are timed in turns. A made-up text has exactly `length` tokens and is passed as a user would:
    ids, a mask of ones, token types. Real texts go through each network's own tokenizer (a cut vocabulary lengthens
    them), so many a batch, padded to the longest; there a run is one batch. Lengths above a network's positions are
    left out.

    Args:
        networks: name -> (network, its tokenizer); "teacher" is what the others are compared with.
        examples: real texts, or None for made-up ones only.
        lengths: tokens of made-up texts.
        batches: texts a batch.
        runs: timed rounds per cell.
        warmup: rounds before that, not timed.
        threads: of the CPU; those that torch uses by default.
        device: where to compute.
        max_length: most tokens of a real text.
        seconds: a cell ends after this time, though not before five rounds.
        progress: called with (cells done, all, what is being timed).
        should_stop: asked before each round; the cells done so far are returned.
    """
    if TEACHER not in networks:
        raise MeasureError(f"speed: no '{TEACHER}' among {', '.join(networks) or 'no networks'} to compare with")
    models = {name: model.to(device).eval() for name, (model, _) in networks.items()}
    positions = min(int(getattr(model.config, "max_position_embeddings", max_length)) for model in models.values())
    cells: list[tuple[int, int | str]] = [(b, n) for b in batches for n in lengths if n <= positions]
    if examples is not None and len(examples):
        cells += [(batch, REAL_LENGTH) for batch in batches]
    rows: list[dict[str, Any]] = []
    for done, (batch, length) in enumerate(cells):
        if progress is not None:
            what = "real texts" if length == REAL_LENGTH else f"{length} tokens"
            progress(done, len(cells), f"batch {batch}, {what}")
        inputs: dict[str, list[dict[str, torch.Tensor]]] = {}
        if isinstance(length, int):
            inputs = {name: [made_up(model, batch, length, device)] for name, model in models.items()}
        elif examples is not None:
            most = min(max_length, positions)
            inputs = {
                name: _real(tokenizer, examples, batch, most, device, runs) for name, (_, tokenizer) in networks.items()
            }
        calls = {name: _cycle(model, inputs[name]) for name, model in models.items()}
        try:
            taken = _in_turns(
                calls,
                range(runs),
                warmup=warmup,
                threads=threads,
                device=device,
                seconds=seconds,
                should_stop=should_stop,
            )
        except Stopped:
            return rows
        rows += _rows(taken, batch, length, device, threads)
    if progress is not None:
        progress(len(cells), len(cells), "done")
    return rows


def _cycle(model: Any, inputs: Sequence[Mapping[str, Any]]) -> Callable[[int], Any]:
    return lambda number: model(**inputs[number % len(inputs)])


def _rows(
    taken: Mapping[str, list[float]], batch: int, length: int | str, device: str, threads: int | None
) -> list[dict[str, Any]]:
    with using_threads(threads) as used:
        pass
    measured = {name: summary(values) for name, values in taken.items()}
    return [
        {
            "variant": name,
            "device": device,
            "threads": used,
            "batch": batch,
            "length": length,
            "median_ms": value.median_ms,
            "p95_ms": value.p95_ms,
            "speedup": measured[TEACHER].median_ms / value.median_ms,
            "runs": value.runs,
        }
        for name, value in measured.items()
    ]


def made_up(model: Any, batch: int, length: int, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Inputs of exactly `length` tokens: word pieces spread over the whole vocabulary, the same at each call."""
    import torch

    vocabulary = int(model.config.vocab_size)
    ids = torch.from_numpy(np.random.default_rng(length).integers(0, vocabulary, size=(batch, length)))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    return {name: tensor.to(device) for name, tensor in inputs.items()}


def _real(
    tokenizer: Any, examples: Examples, batch: int, max_length: int, device: str, most: int
) -> list[dict[str, torch.Tensor]]:
    """Texts in their order as padded batches, at most `most` of them (all full ones, where there are any)."""
    from pruning.data.batches import collate, encode

    needed = min(len(examples), batch * most)
    if needed > batch:
        needed -= needed % batch
    encoded = encode(tokenizer, examples.take(np.arange(needed)), max_length)
    make_batch = collate(encoded)
    batches = []
    for start in range(0, needed, batch):
        made = make_batch(range(start, min(start + batch, needed)))
        batches.append({name: made[name].to(device) for name in ("input_ids", "attention_mask", "token_type_ids")})
    return batches
