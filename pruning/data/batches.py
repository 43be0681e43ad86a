"""Examples -> token ids -> length-bucketed batches with dynamic padding (torch only where tensors are built).

The order of batches is a pure function of (seed, epoch), so that an interrupted training goes on with exactly the
batches that it had left; the Trainer's own group-by-length order does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.errors import ConfigError, DataError, one_line

ENCODE_CHUNK = 1024  # texts per tokenizer call: bounds the memory that the tokenizer's own objects take
BUCKET_BATCHES = 50  # batches sorted by length together: large enough for little padding, small enough to stay random


@dataclass(frozen=True, eq=False)
class Encoded:
    """Token ids of many examples.

    Attributes:
        input_ids: one int32 array an example, special tokens included.
        token_type_ids: likewise; 1 for the second text of a pair.
        lengths: int64, tokens an example.
        labels: int64 classes or float32 scores; -1 or NaN where the examples have no label.
        truncated: how many examples were cut to `max_length`.
        max_length: most tokens an example may have.
        pad_token_id: what shorter examples of a batch are filled with.
        is_labelled: whether `labels` means anything.
    """

    input_ids: list[np.ndarray]
    token_type_ids: list[np.ndarray]
    lengths: np.ndarray
    labels: np.ndarray
    truncated: int
    max_length: int
    pad_token_id: int
    is_labelled: bool = True

    def __len__(self) -> int:
        """Examples."""
        return len(self.input_ids)

    @property
    def tokens_per_text(self) -> float:
        """Mean tokens an example, special tokens included."""
        return float(self.lengths.mean()) if len(self) else 0.0

    @property
    def truncated_share(self) -> float:
        """Share of the examples that were cut."""
        return self.truncated / len(self) if len(self) else 0.0


def encode(tokenizer: Any, examples: Examples, max_length: int) -> Encoded:
    """Turn examples into token ids, cut to `max_length` (of a pair, always the longer text gives way).

    Args:
        tokenizer: a fast `transformers` tokenizer.
        examples: what to encode.
        max_length: most tokens an example may have, special tokens included.

    Raises:
        ConfigError: if no token of a text would be left.
        DataError: if the tokenizer is no fast one, or fails at these texts.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise DataError(f"tokenizer {type(tokenizer).__name__}: is not a fast one, expected a tokenizer.json")
    smallest = tokenizer.num_special_tokens_to_add(pair=examples.pairs is not None) + 1
    if max_length < smallest:
        raise ConfigError(f"maximum length {max_length}: expected at least {smallest} tokens")
    input_ids: list[np.ndarray] = []
    token_type_ids: list[np.ndarray] = []
    truncated = 0
    for start in range(0, len(examples), ENCODE_CHUNK):
        chunk = slice(start, start + ENCODE_CHUNK)
        try:
            batch = tokenizer(
                list(examples.texts[chunk]),
                None if examples.pairs is None else list(examples.pairs[chunk]),
                truncation="longest_first",
                max_length=max_length,
                padding=False,
                return_token_type_ids=True,
                return_attention_mask=False,
            )
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # the tokenizers library has panics of its own, which are no Exception
            reason = one_line(f"{type(error).__name__}: {error}", 160)
            raise DataError(f"{examples.origin}: the tokenizer cannot read them ({reason})") from None
        input_ids += [np.asarray(ids, dtype=np.int32) for ids in batch["input_ids"]]
        token_type_ids += [np.asarray(types, dtype=np.int32) for types in batch["token_type_ids"]]
        truncated += sum(bool(encoding.overflowing) for encoding in batch.encodings)
    return Encoded(
        input_ids=input_ids,
        token_type_ids=token_type_ids,
        lengths=np.array([len(ids) for ids in input_ids], dtype=np.int64),
        labels=examples.labels,
        truncated=truncated,
        max_length=max_length,
        pad_token_id=0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id),
        is_labelled=examples.is_labelled,
    )


class EpochBuckets:
    """A batch sampler whose order is a pure function of (seed, epoch): examples of like length together.

    Every example comes exactly once an epoch. The order does not depend on how much of it was consumed, nor on any
    global random state. Give it to a ``DataLoader`` as `batch_sampler` and call `set_epoch` before each epoch.

    Args:
        lengths: tokens of each example.
        batch_size: examples a batch; only the last batch may be smaller.
        seed: not negative.
    """

    drop_last = False  # with `batch_size`, what accelerate reads of a batch sampler

    def __init__(self, lengths: Sequence[int] | np.ndarray, batch_size: int, seed: int) -> None:
        if batch_size < 1:
            raise ConfigError(f"batch size {batch_size}: expected at least 1")
        if seed < 0:
            raise ConfigError(f"seed {seed}: expected 0 or more")
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.batch_size = int(batch_size)
        self.seed = int(seed)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration gives."""
        if epoch < 0:
            raise ConfigError(f"epoch {epoch}: expected 0 or more")
        self.epoch = int(epoch)

    def __len__(self) -> int:
        """Batches an epoch."""
        return math.ceil(len(self.lengths) / self.batch_size)

    def batches(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch, in order."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.lengths))
        bucket = self.batch_size * BUCKET_BATCHES
        formed: list[list[int]] = []
        for start in range(0, len(order), bucket):
            inside = order[start : start + bucket]
            inside = inside[np.argsort(self.lengths[inside], kind="stable")]
            formed += [inside[cut : cut + self.batch_size].tolist() for cut in range(0, len(inside), self.batch_size)]
        # The short batch stays last: sharding over several processes drops the batches beside a short one elsewhere.
        short = [batch for batch in formed if len(batch) < self.batch_size]
        full = [batch for batch in formed if len(batch) == self.batch_size]
        return [full[position] for position in generator.permutation(len(full))] + short

    def __iter__(self) -> Iterator[list[int]]:
        """The chosen epoch's batches."""
        return iter(self.batches(self.epoch))


class EncodedDataset:
    """Encoded examples by number, as a torch ``DataLoader`` wants them."""

    def __init__(self, encoded: Encoded) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        """Examples."""
        return len(self.encoded)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The example's number and its arrays."""
        if not 0 <= index < len(self.encoded):
            raise IndexError(f"example {index}: expected 0 to {len(self.encoded) - 1}")
        item: dict[str, Any] = {
            "index": int(index),
            "input_ids": self.encoded.input_ids[index],
            "token_type_ids": self.encoded.token_type_ids[index],
        }
        if self.encoded.is_labelled:
            item["labels"] = self.encoded.labels[index]
        return item


def rounded_length(longest: int, most: int) -> int:
    """Length to pad a batch to, so that few lengths occur: up to a multiple of 4, 8 from 32 on, 16 from 64 on.

    oneDNN keeps compiled kernels for each shape of a batch, some 7 MB a length and network: training on texts of 10 to
    128 tokens grew past 5 GB of memory without this.

    Args:
        longest: tokens of the batch's longest example.
        most: tokens of the longest example there is; never exceeded.
    """
    step = 4 if longest <= 32 else 8 if longest <= 64 else 16
    return min(math.ceil(longest / step) * step, most)


def collate(
    encoded: Encoded, *, few_lengths: bool = False
) -> Callable[[Sequence[int] | Sequence[Mapping[str, Any]]], dict[str, Any]]:
    """A function that makes padded tensors of example numbers (or of `EncodedDataset` items).

    It returns int64 `input_ids`, `attention_mask`, `token_type_ids` (batch, longest of the batch), `index` (batch,):
    the examples' numbers, by which cached teacher logits are found, and, where there are labels, `labels` (batch,).

    Args:
        encoded: the examples.
        few_lengths: pad further, see `rounded_length`; for loops over many batches whose time is not measured.
    """
    most = int(encoded.lengths.max(initial=0))

    def make_batch(items: Sequence[int] | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        import torch

        index = np.array([item["index"] if isinstance(item, Mapping) else item for item in items], dtype=np.int64)
        longest = int(encoded.lengths[index].max())
        shape = (len(index), rounded_length(longest, most) if few_lengths else longest)
        input_ids = np.full(shape, encoded.pad_token_id, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        token_type_ids = np.zeros(shape, dtype=np.int64)
        for row, example in enumerate(index):
            length = encoded.lengths[example]
            input_ids[row, :length] = encoded.input_ids[example]
            attention_mask[row, :length] = 1
            token_type_ids[row, :length] = encoded.token_type_ids[example]
        batch = {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(attention_mask),
            "token_type_ids": torch.from_numpy(token_type_ids),
            "index": torch.from_numpy(index),
        }
        if encoded.is_labelled:
            batch["labels"] = torch.from_numpy(encoded.labels[index])
        return batch

    return make_batch
