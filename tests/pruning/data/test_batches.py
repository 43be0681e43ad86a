"""Encoding, length-bucketed batches, padding."""

from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator, skip_first_batches
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from pruning.data.batches import Encoded, EncodedDataset, EpochBuckets, collate, encode, rounded_length
from pruning.data.examples import Examples, unlabelled
from pruning.errors import ConfigError, DataError


@pytest.mark.parametrize("fixture", ["tiny_examples", "tiny_pairs"])
@pytest.mark.parametrize("max_length", [5, 9, 128])
def test_encode_and_collate_equal_the_tokenizer(
    request: pytest.FixtureRequest, tiny_tokenizer: Any, fixture: str, max_length: int
) -> None:
    examples = request.getfixturevalue(fixture)
    encoded = encode(tiny_tokenizer, examples, max_length)
    batch = collate(encoded)(range(len(examples)))
    texts = [list(column) for column in (examples.texts, examples.pairs) if column is not None]
    expected = tiny_tokenizer(*texts, truncation=True, max_length=max_length, padding=True, return_tensors="pt")
    for key in ("input_ids", "attention_mask", "token_type_ids"):
        assert batch[key].dtype == torch.int64
        assert torch.equal(batch[key], expected[key])
    assert torch.equal(batch["labels"], torch.from_numpy(examples.labels))
    assert batch["labels"].dtype == (torch.float32 if examples.pairs else torch.int64)
    assert batch["index"].tolist() == list(range(len(examples)))
    assert encoded.lengths.tolist() == expected["attention_mask"].sum(1).tolist()
    assert all(ids.dtype == np.int32 for ids in encoded.input_ids)


@pytest.mark.parametrize("fixture", ["tiny_examples", "tiny_pairs"])
def test_truncated_counts_what_was_cut(request: pytest.FixtureRequest, tiny_tokenizer: Any, fixture: str) -> None:
    examples = request.getfixturevalue(fixture)
    full = encode(tiny_tokenizer, examples, 512)
    assert full.truncated == 0
    for max_length in (5, 6, 7, 9, 10):
        cut = encode(tiny_tokenizer, examples, max_length)
        assert cut.truncated == (full.lengths > max_length).sum()
        assert cut.truncated_share == cut.truncated / len(examples)
        assert cut.lengths.max() <= max_length
    assert full.tokens_per_text == pytest.approx(full.lengths.mean())


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch, tiny_tokenizer: Any, tiny_examples: Examples) -> None:
    whole = encode(tiny_tokenizer, tiny_examples, 8)
    monkeypatch.setattr("pruning.data.batches.ENCODE_CHUNK", 5)
    parts = encode(tiny_tokenizer, tiny_examples, 8)
    assert [ids.tolist() for ids in parts.input_ids] == [ids.tolist() for ids in whole.input_ids]
    assert parts.truncated == whole.truncated


def test_encode_refuses_what_it_cannot_do(tiny_tokenizer: Any, tiny_examples: Examples, tiny_pairs: Examples) -> None:
    with pytest.raises(ConfigError, match="maximum length 2: expected at least 3"):
        encode(tiny_tokenizer, tiny_examples, 2)
    with pytest.raises(ConfigError, match="expected at least 4"):
        encode(tiny_tokenizer, tiny_pairs, 3)

    class Slow:
        is_fast = False

    with pytest.raises(DataError, match=r"Slow: .* expected a tokenizer\.json"):
        encode(Slow(), tiny_examples, 32)

    class Panic(BaseException):
        """As the tokenizers library's own."""

    class Damaged:
        is_fast = True

        def num_special_tokens_to_add(self, pair: bool) -> int:
            return 2

        def __call__(self, *texts: Any, **how: Any) -> Any:
            raise Panic("no entry found\nfor key")

    with pytest.raises(
        DataError, match=r"tiny examples: the tokenizer cannot read them \(Panic: no entry found for key"
    ):
        encode(Damaged(), tiny_examples, 32)


def test_texts_without_labels_and_no_texts_at_all(tiny_tokenizer: Any) -> None:
    encoded = encode(tiny_tokenizer, unlabelled(["a film", "soup"], None, "typed"), 16)
    assert "labels" not in collate(encoded)([0, 1])
    assert "labels" not in EncodedDataset(encoded)[0]
    encoded = encode(tiny_tokenizer, unlabelled([], None, "typed"), 16)
    assert (len(encoded), encoded.tokens_per_text, encoded.truncated_share) == (0, 0.0, 0.0)


lengths_strategy = st.lists(st.integers(2, 128), max_size=300)


@settings(max_examples=60, deadline=None)
@given(lengths_strategy, st.integers(1, 40), st.integers(0, 2**32), st.integers(0, 50))
def test_every_example_once_an_epoch(lengths: list[int], batch_size: int, seed: int, epoch: int) -> None:
    sampler = EpochBuckets(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert all(type(index) is int for batch in batches for index in batch)


@settings(max_examples=30, deadline=None)
@given(lengths_strategy, st.integers(1, 9), st.integers(0, 99), st.integers(0, 5), st.integers(0, 20))
def test_order_depends_on_seed_and_epoch_alone(
    lengths: list[int], batch_size: int, seed: int, epoch: int, consumed: int
) -> None:
    fresh = EpochBuckets(lengths, batch_size, seed)
    fresh.set_epoch(epoch)
    used = EpochBuckets(np.array(lengths, dtype=np.int32), batch_size, seed)
    for past in range(epoch):  # other epochs gone through, one of them left half-way, global states elsewhere
        used.set_epoch(past)
        for _ in zip(range(consumed), used, strict=False):
            np.random.rand()
            torch.rand(1)
    used.set_epoch(epoch)
    assert list(used) == list(fresh) == list(fresh)


def test_order_is_pinned() -> None:
    """A stored study's command must go on giving the same batches; this fails where NumPy's streams change."""
    assert EpochBuckets([5, 9, 5, 7, 3, 9, 4], 2, seed=3).batches(2) == [[0, 2], [4, 6], [3, 1], [5]]
    lengths = np.random.default_rng(0).integers(5, 60, 400)
    orders = [str(EpochBuckets(lengths, 16, seed).batches(epoch)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4


def test_few_lengths_are_padded_to() -> None:
    lengths = [rounded_length(longest, 128) for longest in range(1, 129)]
    assert all(longest <= length < longest * 1.25 + 4 for longest, length in enumerate(lengths, 1))
    assert len(set(lengths)) == 16
    assert rounded_length(97, 100) == 100  # no more than there are positions for


def test_padding_further_changes_nothing_else(tiny_tokenizer: Any, tiny_pairs: Examples) -> None:
    encoded = encode(tiny_tokenizer, tiny_pairs, 128)
    shortest = int(encoded.lengths.argmin())
    length, most = int(encoded.lengths[shortest]), int(encoded.lengths.max())
    plain, further = (collate(encoded, few_lengths=few)([shortest]) for few in (False, True))
    assert plain["input_ids"].shape == (1, length)
    assert further["input_ids"].shape == (1, rounded_length(length, most))
    for name in ("input_ids", "attention_mask", "token_type_ids"):
        assert further[name][:, :length].equal(plain[name])
    assert not further["attention_mask"][:, length:].any()
    assert (further["input_ids"][:, length:] == encoded.pad_token_id).all()


def test_buckets_save_padding() -> None:
    lengths = np.random.default_rng(0).geometric(0.05, 20_000) + 2
    batches = EpochBuckets(lengths, 32, seed=0).batches(0)
    bucketed = sum(lengths[batch].max() * len(batch) for batch in batches) / lengths.sum()
    shuffled = np.random.default_rng(1).permutation(len(lengths)).reshape(-1, 32)
    random = sum(lengths[batch].max() * 32 for batch in shuffled) / lengths.sum()
    assert bucketed < 1.1
    assert random > 2
    means = np.array([lengths[batch].mean() for batch in batches])  # and the order of batches is not that of lengths
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.2


@pytest.mark.parametrize(("batch_size", "seed"), [(0, 0), (-1, 0), (4, -1)])
def test_sampler_refuses_bad_settings(batch_size: int, seed: int) -> None:
    with pytest.raises(ConfigError, match="expected"):
        EpochBuckets([3, 4], batch_size, seed)
    with pytest.raises(ConfigError, match="expected"):
        EpochBuckets([3, 4], 1, 0).set_epoch(-1)


@pytest.fixture
def encoded(tiny_tokenizer: Any, tiny_examples: Examples) -> Encoded:
    return encode(tiny_tokenizer, tiny_examples, 32)


def loader(encoded: Encoded, sampler: EpochBuckets) -> Any:
    return DataLoader(EncodedDataset(encoded), batch_sampler=sampler, collate_fn=collate(encoded))  # type: ignore[arg-type]


def test_data_loader_gives_the_samplers_batches(encoded: Encoded) -> None:
    sampler = EpochBuckets(encoded.lengths, 4, seed=1)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        batches = list(loader(encoded, sampler))
        assert [batch["index"].tolist() for batch in batches] == sampler.batches(epoch)
        for batch in batches:
            assert batch["input_ids"].shape[1] == encoded.lengths[batch["index"]].max()
            assert batch["attention_mask"].sum(1).tolist() == encoded.lengths[batch["index"]].tolist()
            assert torch.equal(batch["labels"], torch.from_numpy(encoded.labels[batch["index"]]))


def test_resumed_accelerate_loader_gives_the_batches_that_were_left(encoded: Encoded) -> None:
    """As the Trainer resumes: a fresh loader, its first batches skipped, then the epoch is set on what it wraps."""
    sampler = EpochBuckets(encoded.lengths, 4, seed=1)
    resumed = skip_first_batches(Accelerator(cpu=True).prepare(loader(encoded, sampler)), 2)
    resumed.set_epoch(3)
    resumed.batch_sampler.batch_sampler.set_epoch(3)
    assert [batch["index"].tolist() for batch in resumed] == EpochBuckets(encoded.lengths, 4, seed=1).batches(3)[2:]


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("count", [22, 24, 25, 31])
def test_sharding_over_processes_loses_no_example(processes: int, count: int) -> None:
    sampler = EpochBuckets(np.random.default_rng(0).integers(3, 30, count), 4, seed=1)
    for epoch in range(8):
        sampler.set_epoch(epoch)
        shards = [list(BatchSamplerShard(sampler, processes, process)) for process in range(processes)]  # type: ignore[arg-type]
        assert {index for shard in shards for batch in shard for index in batch} == set(range(count))


def test_dataset_items(encoded: Encoded) -> None:
    dataset = EncodedDataset(encoded)
    by_item, by_number = collate(encoded)([dataset[3], dataset[0]]), collate(encoded)([3, 0])
    assert all(torch.equal(by_item[key], by_number[key]) for key in by_number)
    with pytest.raises(IndexError, match="expected 0 to 21"):
        dataset[22]
