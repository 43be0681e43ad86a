"""What networks say about texts, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pruning.errors import MeasureError
from pruning.variants import Variant
from slimviz.live.networks import Network, computing, others_wait
from slimviz.live.runtimes import TORCH

if TYPE_CHECKING:
    from pruning.data.examples import Examples

PREDICTION_RUNS = 5  # forward passes behind a latency; their median is shown
PREDICTION_SECONDS = 0.1  # after this, fewer have to do


@dataclass(frozen=True)
class Answer:
    """What one network says about one text.

    Attributes:
        variant: whose answer it is.
        probabilities: one per label, or None for a regression.
        score: of a regression, else None.
        latency_ms: median of `runs` forward passes.
        runs: how many passes were timed.
        pieces: word pieces read, special tokens not counted.
        unknown: how many of them the vocabulary does not know.
        left_out: word pieces beyond the longest text that the network reads.
        runtime: what it computed with, of `RUNTIMES`.
    """

    variant: Variant
    probabilities: tuple[float, ...] | None
    score: float | None
    latency_ms: float
    runs: int
    pieces: int
    unknown: int
    left_out: int
    runtime: str = TORCH.name

    @property
    def label(self) -> int | None:
        """Number of the most probable label; None for a regression."""
        return None if self.probabilities is None else int(np.argmax(self.probabilities))

    @property
    def is_readable(self) -> bool:
        """Whether the network knew anything of what it read."""
        return self.pieces > self.unknown


def batch_of(network: Network, examples: Examples) -> tuple[dict[str, Any], int, int]:
    """Examples as a padded batch on the network's device, how many were cut, and how many tokens they have.

    Call it inside `computing()`: a fast tokenizer must not be used by two threads at once.
    """
    from pruning.measure.logits import batch_inputs

    encoded = network.encode(examples)
    return batch_inputs(network, encoded), encoded.truncated, int(encoded.lengths.sum())


def forward(network: Network, inputs: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Logits (examples, labels) and the seconds that one forward pass took; call it inside `computing()`."""
    from pruning.measure.latency import using_threads
    from pruning.measure.logits import timed_forward

    with using_threads(network.threads):
        return timed_forward(network, inputs)


def predict(networks: Sequence[Network], text: str, pair: str | None = None) -> list[Answer]:
    """What each network says about a text (or a pair), and how long it took, in turns so that latencies compare.

    Where others wait to be answered, it is timed once only: too little to quote, see `widgets.answer.is_timed`.

    Raises:
        MeasureError: if an answer is not a number.
    """
    from pruning.data.examples import unlabelled

    examples = unlabelled([text], None if pair is None else [pair], "typed text")
    with computing():
        inputs = [batch_of(network, examples)[0] for network in networks]
        wanted = [len(_pieces(network, text, pair)) for network in networks]
        logits = [forward(network, batch)[0][0] for network, batch in zip(networks, inputs, strict=True)]
        seconds: list[list[float]] = [[] for _ in networks]
        start = time.perf_counter()
        while len(seconds[-1]) < PREDICTION_RUNS:
            for number, network in enumerate(networks):
                seconds[number].append(forward(network, inputs[number])[1])
            if time.perf_counter() - start > PREDICTION_SECONDS or others_wait():
                break
    return [
        _answer(network, logits[number], seconds[number], inputs[number]["input_ids"], wanted[number])
        for number, network in enumerate(networks)
    ]


def _pieces(network: Network, text: str, pair: str | None) -> list[int]:
    return network.tokenizer(text, pair, truncation=False, add_special_tokens=False, verbose=False)["input_ids"]


def _answer(network: Network, logits: np.ndarray, seconds: list[float], input_ids: Any, wanted: int) -> Answer:
    if not np.isfinite(logits).all():
        raise MeasureError(f"{network.variant}: the answer is not a number, expected finite logits")
    ids = input_ids[0].cpu().numpy()
    tokenizer = network.tokenizer
    special = np.isin(ids, [i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id])
    pieces = int((~special).sum())
    from pruning.measure.answers import probabilities

    is_regression = len(logits) == 1
    return Answer(
        variant=network.variant,
        probabilities=None if is_regression else tuple(probabilities(logits[None])[0].tolist()),
        score=float(logits[0]) if is_regression else None,
        latency_ms=1000 * float(np.median(seconds)),
        runs=len(seconds),
        pieces=pieces,
        unknown=int((ids == tokenizer.unk_token_id).sum()),
        left_out=max(0, wanted - pieces),
        runtime=network.runtime,
    )
