"""Batches of a training's own examples and others beside them, counted in steps.

As with `EpochBuckets`, the order is a pure function of the seed, so that an interrupted training goes on with exactly
the batches that it had left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pruning.data.batches import BUCKET_BATCHES
from pruning.errors import ConfigError


class MixedBatches:
    """A batch sampler of so many batches: in each the same share of own examples, the rest of the others.

    Own examples are shuffled again each time all have come; so are the others. Within some batches, examples of like
    length come together. The last batches hold own examples only, so that what was learned last is the task itself.

    Args:
        lengths: tokens of each example, own examples first.
        own: how many of them are own; the rest are others.
        batch_size: examples a batch.
        seed: not negative.
        batches: how many there are.
        own_share: of each batch; 1 where there are no others.
        last_share: of the batches, at the end, with own examples only.
    """

    drop_last = False  # with `batch_size`, what accelerate reads of a batch sampler

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        own: int,
        batch_size: int,
        seed: int,
        *,
        batches: int,
        own_share: float,
        last_share: float,
    ) -> None:
        if not 0 < own <= len(lengths):
            raise ConfigError(f"mixed batches: {own} own examples of {len(lengths)}, expected at least 1")
        if batch_size < 1 or batches < 1 or seed < 0:
            raise ConfigError(f"mixed batches: {batches} of {batch_size} by seed {seed}, expected at least 1 of 1 by 0")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.own, self.batch_size, self.seed, self.count = int(own), int(batch_size), int(seed), int(batches)
        has_others = own < len(self.lengths)
        self.own_each = min(batch_size, max(1, round(own_share * batch_size))) if has_others else batch_size
        self.mixed = self.count - round(last_share * self.count) if has_others else 0

    def set_epoch(self, epoch: int) -> None:
        """There is one epoch; see `EpochBuckets`."""

    def __len__(self) -> int:
        """Batches."""
        return self.count

    def __iter__(self) -> Iterator[list[int]]:
        """All batches, in order."""
        generator = np.random.default_rng(self.seed)
        own = _endless(np.arange(self.own), generator)
        others = _endless(np.arange(self.own, len(self.lengths)), generator)
        done = 0
        while done < self.count:
            is_mixed = done < self.mixed
            window = min(BUCKET_BATCHES, (self.mixed if is_mixed else self.count) - done)
            own_each = self.own_each if is_mixed else self.batch_size
            rows = self._sorted(own, window, own_each)
            if own_each < self.batch_size:
                rows = np.concatenate([rows, self._sorted(others, window, self.batch_size - own_each)], axis=1)
            yield from rows[generator.permutation(window)].tolist()
            done += window

    def _sorted(self, stream: Iterator[int], window: int, each: int) -> np.ndarray:
        """The stream's next examples, (window, each), like lengths in a row."""
        taken = np.fromiter((next(stream) for _ in range(window * each)), dtype=np.int64, count=window * each)
        return taken[np.argsort(self.lengths[taken], kind="stable")].reshape(window, each)


def _endless(rows: np.ndarray, generator: np.random.Generator) -> Iterator[int]:
    """The rows shuffled, again and again."""
    while True:
        yield from rows[generator.permutation(len(rows))].tolist()
