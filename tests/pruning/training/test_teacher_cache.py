"""The teacher's cached answers are those it gives, example by example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pruning.data import Encoded, Examples, encode
from pruning.errors import TrainingError
from pruning.training import teacher_cache
from pruning.training.teacher_cache import TeacherCache, fill_cache, hidden_bytes

STATES, WIDTH = 3, 8  # of the tiny BERT: embeddings and two layers
HALF = 1e-3  # relative precision of a half-precision number, about


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teacher_cache, "CACHE_BATCH", 5)


@pytest.fixture
def encoded(tiny_tokenizer: Any, tiny_examples: Examples) -> Encoded:
    return encode(tiny_tokenizer, tiny_examples, 12)


def fill(folder: Path, model: Any, encoded: Encoded, **changes: Any) -> TeacherCache:
    settings = {"keep_hidden": True, "device": torch.device("cpu"), "autocast": False}
    return fill_cache(folder, model, encoded, **(settings | changes))


@torch.no_grad()
def direct(model: Any, encoded: Encoded, example: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (labels,) and hidden states (layers + 1, tokens, hidden) of one example alone."""
    output = model(
        input_ids=torch.from_numpy(encoded.input_ids[example].astype(np.int64))[None],
        token_type_ids=torch.from_numpy(encoded.token_type_ids[example].astype(np.int64))[None],
        output_hidden_states=True,
    )
    return output.logits[0].numpy(), torch.cat(output.hidden_states).numpy()


def test_every_example_gets_its_own_answer(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    cache = fill(tmp_path / "cache", tiny_bert, encoded)
    assert cache.logits.shape == (22, 2)
    assert cache.logits.dtype == np.float32
    states = []
    for example in range(len(encoded)):
        logits, hidden = direct(tiny_bert, encoded, example)
        np.testing.assert_allclose(cache.logits[example], logits, rtol=1e-4, atol=1e-5)
        length = encoded.lengths[example]
        found = cache.hidden(np.array([example]), length + 2).numpy()
        assert found.shape == (STATES, 1, length + 2, WIDTH)
        np.testing.assert_allclose(found[:, 0, :length], hidden, rtol=HALF, atol=HALF)
        assert (found[:, 0, length:] == 0).all()
        states.append(hidden)
    flat = np.concatenate(states, axis=1).reshape(STATES, -1)
    np.testing.assert_allclose(cache.variance, flat.var(axis=1), rtol=1e-4)


def test_a_batch_in_any_order(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    cache = fill(tmp_path / "cache", tiny_bert, encoded)
    index = np.array([17, 3, 3, 0, 21])
    batch = cache.hidden(index, 13)
    assert batch.dtype == torch.float32
    assert batch.shape == (STATES, 5, 13, WIDTH)
    for row, example in enumerate(index):
        assert torch.equal(batch[:, row], cache.hidden(np.array([example]), 13)[:, 0])


def test_pairs_and_scores(
    tmp_path: Path, make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_pairs: Examples
) -> None:
    model, encoded = make_bert(num_labels=1), encode(tiny_tokenizer, tiny_pairs, 12)
    cache = fill(tmp_path / "cache", model, encoded)
    for example in range(len(encoded)):
        np.testing.assert_allclose(cache.logits[example], direct(model, encoded, example)[0], rtol=1e-4, atol=1e-5)


def test_bfloat16_is_close(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    exact = fill(tmp_path / "exact", tiny_bert, encoded)
    half = fill(tmp_path / "half", tiny_bert, encoded, autocast=True)
    assert not np.array_equal(half.logits, exact.logits)
    np.testing.assert_allclose(half.logits, exact.logits, atol=0.05)


def test_disk_used_is_the_disk_announced(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    fill(tmp_path / "cache", tiny_bert, encoded)
    expected = int(encoded.lengths.sum()) * STATES * WIDTH * 2
    assert hidden_bytes(encoded, STATES, WIDTH) == expected
    assert (tmp_path / "cache" / "hidden.f16").stat().st_size == expected
    assert [path.name for path in tmp_path.iterdir() if "cache" in path.name] == ["cache"]


def test_without_hidden_states(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    cache = fill(tmp_path / "cache", tiny_bert, encoded, keep_hidden=False)
    assert not cache.has_hidden
    assert not (tmp_path / "cache" / "hidden.f16").exists()
    whole = fill(tmp_path / "whole", tiny_bert, encoded)
    assert np.array_equal(cache.logits, whole.logits)
    with pytest.raises(TrainingError, match=r"^teacher cache cache: holds no hidden states$"):
        cache.hidden(np.array([0]), 12)


def test_a_complete_cache_is_only_opened(tmp_path: Path, tiny_bert: Any, encoded: Encoded) -> None:
    first = fill(tmp_path / "cache", tiny_bert, encoded)
    with torch.no_grad():
        tiny_bert.classifier.bias += 1  # would change every answer
    second = fill(tmp_path / "cache", tiny_bert, encoded)
    assert np.array_equal(first.logits, second.logits)
    assert torch.equal(first.hidden(np.arange(22), 12), second.hidden(np.arange(22), 12))


@pytest.mark.parametrize("batches", [1, 3, 5])
def test_an_interrupted_cache_is_computed_again(tmp_path: Path, tiny_bert: Any, encoded: Encoded, batches: int) -> None:
    expected = fill(tmp_path / "expected", tiny_bert, encoded)
    seen: list[int] = []

    def interrupt(done: int, total: int) -> None:
        assert total == 22
        seen.append(done)
        if len(seen) == batches:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "cache", tiny_bert, encoded, progress=interrupt)
    assert seen == [5, 10, 15, 20, 22][:batches]
    assert not (tmp_path / "cache").exists()
    again = fill(tmp_path / "cache", tiny_bert, encoded)
    assert not (tmp_path / "cache.partial").exists()
    for path in (tmp_path / "expected").iterdir():
        assert (tmp_path / "cache" / path.name).read_bytes() == path.read_bytes()
    assert torch.equal(again.hidden(np.arange(22), 12), expected.hidden(np.arange(22), 12))
