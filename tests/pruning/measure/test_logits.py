"""Logits come in the examples' order, the same whoever asks; answers and scores are made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pruning import slimbert
from pruning.compress.quantise import dynamic_int8
from pruning.data.examples import Examples
from pruning.data.tasks import TASKS, Task, custom_task
from pruning.errors import DataError, Stopped
from pruning.measure.answers import answer, probabilities
from pruning.measure.intervals import paired_bootstrap
from pruning.measure.latency import TIMING_LOCK
from pruning.measure.logits import batch_inputs, encoded_logits, predict_logits, timed_forward
from pruning.measure.network import Network
from pruning.measure.scoring import Score, score, score_logits
from pruning.variants import TEACHER, slim

YES_NO = custom_task("own", ("text",), ("no", "yes"))


@pytest.fixture
def network(tiny_bert: Any, tiny_tokenizer: Any) -> Network:
    return Network(tiny_bert, tiny_tokenizer, 128)


def test_logits_come_in_the_examples_order(network: Network, tiny_examples: Examples) -> None:
    done: list[tuple[int, int]] = []
    logits = predict_logits(network, tiny_examples, batch_size=4, progress=lambda *step: done.append(step))
    assert (logits.shape, logits.dtype) == ((22, 2), np.float32)
    for row, text in enumerate(tiny_examples.texts):
        inputs = network.tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        with torch.inference_mode():
            expected = network.model(**inputs).logits.numpy()[0]
        np.testing.assert_allclose(logits[row], expected, atol=1e-5)
    assert done == [(4, 22), (8, 22), (12, 22), (16, 22), (20, 22), (22, 22)]
    np.testing.assert_array_equal(predict_logits(network, tiny_examples, batch_size=4), logits)
    encoded = network.encode(tiny_examples)
    padded = encoded_logits(network.model.train(), encoded, few_lengths=True)
    np.testing.assert_allclose(padded, logits, atol=1e-5)
    assert not network.model.training
    with TIMING_LOCK:
        some, seconds = timed_forward(network, batch_inputs(network, encoded, [3, 1]))
    np.testing.assert_allclose(some, logits[[3, 1]], atol=1e-5)
    assert seconds > 0


def test_pairs_and_slim_networks_answer_too(network: Network, tiny_pairs: Examples) -> None:
    dense = replace(network, model=slimbert.dense_from_bert(network.model))
    np.testing.assert_allclose(predict_logits(dense, tiny_pairs), predict_logits(network, tiny_pairs), atol=1e-5)


def test_a_network_reads_no_more_tokens_than_it_has_positions(network: Network) -> None:
    long = Examples(("good " * 500,), None, np.zeros(1, dtype=np.int64), "one long text")
    assert network.max_length == 32
    assert predict_logits(network, long).shape == (1, 2)
    short = Examples(("good", "good film", "a b c d"), None, np.zeros(3, dtype=np.int64), "three")
    encoded = replace(network, max_length=5).encode(short)
    assert (encoded.tokens_per_text, encoded.truncated_share) == ((3 + 4 + 5) / 3, 1 / 3)


def test_stopping_and_nothing_to_do(network: Network, tiny_examples: Examples) -> None:
    stops = iter([False, False, True])
    with pytest.raises(Stopped, match="stopped after 8 of 22 examples"):
        predict_logits(network, tiny_examples, batch_size=4, should_stop=lambda: next(stops))
    with pytest.raises(DataError, match="no examples"):
        predict_logits(network, tiny_examples.take([]))


def test_int8_answers_almost_alike(make_bert: Callable[..., Any], network: Network, tiny_examples: Examples) -> None:
    wide = replace(network, model=make_bert(hidden_size=32, num_attention_heads=4, intermediate_size=64))
    before = predict_logits(wide, tiny_examples)
    int8 = replace(wide, model=dynamic_int8(wide.model))
    np.testing.assert_allclose(predict_logits(int8, tiny_examples), before, atol=0.2)
    assert not any(type(module) is torch.nn.Linear for module in int8.model.modules())
    np.testing.assert_array_equal(predict_logits(wide, tiny_examples), before)


def test_answers_are_labels_with_probabilities_or_scores(
    make_bert: Callable[..., Any], network: Network, tiny_examples: Examples
) -> None:
    logits = predict_logits(network, tiny_examples).astype(np.float64)
    found = answer(YES_NO, {TEACHER: network}, tiny_examples)[TEACHER]
    for own, row in zip(found, logits, strict=True):
        shares = np.exp(row) / np.exp(row).sum()
        said = own.to_json()
        assert said["label"] == ("no", "yes")[row.argmax()] == own.label
        assert said["probability"] == max(said["probabilities"].values()) == pytest.approx(shares.max())
        assert list(said["probabilities"].values()) == pytest.approx(shares.tolist())
    scores = replace(network, model=make_bert(num_labels=1))
    found = answer(TASKS["stsb"], {TEACHER: scores}, tiny_examples)[TEACHER]
    assert [own.to_json() for own in found] == [
        {"score": v} for v in predict_logits(scores, tiny_examples)[:, 0].tolist()
    ]
    with torch.no_grad():
        scores.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(DataError, match="logits of example 0 are not finite"):
        answer(TASKS["stsb"], {TEACHER: scores}, tiny_examples)
    assert probabilities(np.array([[1e4, -1e4], [0.0, 0.0]])).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_rows_by_hand() -> None:
    """Eight right of ten, six of ten, a majority of five: 75% is kept, a third above the floor."""
    lengths = dict.fromkeys((TEACHER, slim("10")), (7.5, 0.25))

    def rows(task: Task, labels: list, teacher: list, own: list) -> tuple[Score, Score]:
        answers = [np.array(x)[:, None] if task.is_regression else np.eye(2)[x] for x in (teacher, own)]
        logits = dict(zip(lengths, answers, strict=True))
        first, second = score_logits(task, logits, np.array(labels), "dev", lengths=lengths)
        return first, second

    best, own = rows(YES_NO, [1] * 5 + [0] * 5, [1] * 5 + [0] * 3 + [1] * 2, [1] * 5 + [0] + [1] * 4)
    assert (best.variant, best.split, best.count) == (TEACHER, "dev", 10)
    assert (best.correct, best.metrics["accuracy"], best.retention, best.retention_above_floor) == (8, 0.8, 1, 1)
    assert (best.tokens_per_text, best.truncated_share, best.interval) == (7.5, 0.25, None)
    assert (own.variant, own.correct, own.metrics["accuracy"]) == (slim("10"), 6, 0.6)
    assert (own.retention, own.retention_above_floor) == (pytest.approx(0.75), pytest.approx(1 / 3))
    assert own.interval is not None
    assert own.interval.difference == pytest.approx(-0.2)
    assert own.interval.low < -0.2 < own.interval.high <= 0
    # A teacher at its floor retains nothing above it; a regression counts nothing right, and its floor is 0.
    for row in rows(YES_NO, [0, 1, 1], [1, 1, 1], [1, 1, 1]):
        assert (row.retention, row.retention_above_floor) == (1, None)
    best, own = rows(TASKS["stsb"], [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0], [1.0, 0.0, 3.0, 2.0])
    assert (best.correct, own.correct, own.metrics) == (None, None, pytest.approx({"pearson": 0.6, "spearman": 0.6}))
    assert own.retention == own.retention_above_floor == pytest.approx(0.6)


@pytest.mark.parametrize("order", [1, -1], ids=["teacher first", "teacher last"])
def test_a_score_is_that_of_each_networks_own_logits_and_lengths(
    make_bert: Callable[..., Any], network: Network, tiny_examples: Examples, order: int
) -> None:
    other = replace(network, model=make_bert(num_hidden_layers=1), max_length=5)
    networks = dict([(TEACHER, network), (slim("10"), other)][::order])
    told: list[tuple[str, int, int]] = []
    rows = score(YES_NO, networks, tiny_examples, "probe", seed=3, progress=lambda v, *n: told.append((v.name, *n)))
    assert told == [(variant.name, 22, 22) for variant in networks]
    logits = {variant: predict_logits(one, tiny_examples) for variant, one in networks.items()}
    encoded = {variant: one.encode(tiny_examples) for variant, one in networks.items()}
    lengths = {variant: (texts.tokens_per_text, texts.truncated_share) for variant, texts in encoded.items()}
    assert rows == score_logits(YES_NO, logits, tiny_examples.labels, "probe", lengths=lengths, seed=3)
    expected = paired_bootstrap(YES_NO, logits[slim("10")], logits[TEACHER], tiny_examples.labels, seed=3)
    assert expected in [row.interval for row in rows]
    alone = score(YES_NO, {slim("10"): other}, tiny_examples, "probe")[0]
    assert (alone.retention, alone.retention_above_floor, alone.interval) == (None, None, None)
