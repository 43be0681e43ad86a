"""A study's table of speed: every network at every batch size and length, and on real texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from pruning.data.batches import collate
from pruning.data.examples import Examples
from pruning.errors import MeasureError, Stopped
from pruning.measure.latency import Call, Latency, Rounds, latency, using_threads
from pruning.measure.logits import inputs_on
from pruning.measure.network import Network
from pruning.records import AboveZero, Positive, Record, Text
from pruning.variants import TEACHER, Variant

LENGTHS, BATCHES = (16, 32, 64, 128), (1, 32)
# A cell ends after so many seconds: the rounds done by then have to do, and each row says how many there were.
ROUNDS = Rounds(seconds=30.0)

Length = int | Literal["real"]
Progress = Callable[[int, int, str], None]


class Speed(Record, frozen=True, kw_only=True):
    """Milliseconds of one variant, timed in turns with the teacher.

    Attributes:
        variant: which network.
        device: as torch names it.
        threads: of the CPU.
        batch: texts a batch.
        length: tokens of each text, or "real" for texts of the validation split.
        median_ms: of `runs` batches.
        p95_ms: 95th percentile.
        speedup: the teacher's median over this one's.
        runs: timed batches.
    """

    variant: Variant
    device: Text
    threads: Positive
    batch: Positive
    length: Positive | Literal["real"]
    median_ms: AboveZero
    p95_ms: AboveZero
    speedup: AboveZero
    runs: Positive


def speed_table(
    networks: Mapping[Variant, Network],
    examples: Examples | None = None,
    *,
    lengths: Sequence[int] | None = None,
    batches: Sequence[int] | None = None,
    rounds: Rounds | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> list[Speed]:
    """Time networks at every batch size and length, those of a cell in turns.

    A made-up text has exactly `length` tokens and is passed as a user would: ids, a mask of ones, token types. Real
    texts go through each network's own tokenizer (a cut vocabulary lengthens them), so many a batch, padded to the
    longest; there a run is one batch. Lengths above what a network reads are left out.

    Args:
        networks: on one device; the teacher among them is what the others are compared with.
        examples: real texts, or None for made-up ones only.
        lengths: tokens of made-up texts; `LENGTHS` by default.
        batches: texts a batch; `BATCHES` by default.
        rounds: how often each cell is timed; `ROUNDS` by default.
        progress: called with (cells done, all, what is being timed).
        should_stop: asked before each round; the cells done so far are returned.

    Raises:
        MeasureError: if there is no teacher, or networks are on several devices.
    """
    lengths, batches, rounds = lengths or LENGTHS, batches or BATCHES, rounds or ROUNDS
    if TEACHER not in networks:
        found = ", ".join(map(str, networks)) or "no networks"
        raise MeasureError(f"speed: no {TEACHER} among {found} to compare with")
    device = networks[TEACHER].device
    if any(network.device != device for network in networks.values()):
        raise MeasureError(f"speed: networks on several devices, expected all on {device}")
    most = min(network.max_length for network in networks.values())
    cells: list[tuple[int, Length]] = [(b, n) for b in batches for n in lengths if n <= most]
    if examples is not None and len(examples):
        cells.extend((batch, "real") for batch in batches)
    rows: list[Speed] = []
    for done, (batch, length) in enumerate(cells):
        if progress is not None:
            what = "real texts" if length == "real" else f"{length} tokens"
            progress(done, len(cells), f"batch {batch}, {what}")
        calls: dict[Variant, Call] = {}
        for variant, network in networks.items():
            if isinstance(length, int) or examples is None:
                inputs = [made_up(network, batch, int(length))]
            else:
                inputs = real_texts(network, examples, batch, rounds.runs)
            calls[variant] = _cycle(network.model, inputs)
        try:
            timed = latency(calls, rounds, device=device, should_stop=should_stop)
        except Stopped:
            return rows
        rows += _rows(networks, timed, batch, length, rounds.threads)
    if progress is not None:
        progress(len(cells), len(cells), "done")
    return rows


def _cycle(model: Any, inputs: Sequence[Mapping[str, Any]]) -> Call:
    return lambda number: model(**inputs[number % len(inputs)])


def _rows(
    networks: Mapping[Variant, Network],
    timed: Mapping[Variant, Latency],
    batch: int,
    length: Length,
    threads: int | None,
) -> list[Speed]:
    with using_threads(threads) as used:
        pass
    teacher = timed[TEACHER]
    return [
        Speed(
            variant=variant,
            device=network.device,
            threads=used,
            batch=batch,
            length=length,
            median_ms=timed[variant].median_ms,
            p95_ms=timed[variant].p95_ms,
            speedup=teacher.median_ms / timed[variant].median_ms,
            runs=timed[variant].runs,
        )
        for variant, network in networks.items()
    ]


def made_up(network: Network, batch: int, length: int) -> dict[str, Any]:
    """Inputs of exactly `length` tokens: word pieces spread over the whole vocabulary, the same at each call."""
    import torch

    vocabulary = int(network.model.config.vocab_size)
    ids = torch.from_numpy(np.random.default_rng(length).integers(0, vocabulary, size=(batch, length)))
    made = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    return inputs_on(made, network.device)


def real_texts(network: Network, examples: Examples, batch: int, most: int) -> list[dict[str, Any]]:
    """Texts in their order as padded batches, at most `most` of them (all full ones, where there are any)."""
    needed = min(len(examples), batch * most)
    if needed > batch:
        needed -= needed % batch
    make_batch = collate(network.encode(examples.take(np.arange(needed))))
    batches = [make_batch(range(start, min(start + batch, needed))) for start in range(0, needed, batch)]
    return [inputs_on(made, network.device) for made in batches]
