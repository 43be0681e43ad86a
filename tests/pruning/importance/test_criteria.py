"""Importance criteria: gradients against finite differences, the rest by hand."""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from pruning.bert.gates import attach
from pruning.bert.shapes import BertShape, Site
from pruning.bert.slim_layer import slim_layers
from pruning.data.batches import Encoded, encode
from pruning.data.examples import Examples
from pruning.errors import SelectionError
from pruning.importance import control, gradients, magnitude
from pruning.importance.alpha import importance as alpha_importance
from pruning.importance.factors import Importance, ImportanceFactors, TablePieces, piece_mass
from pruning.importance.gather import gather_factors
from pruning.importance.pieces import table_pieces
from pruning.importance.pooler import pooler_importance
from pruning.importance.registry import CRITERIA, UNIT_CRITERIA, Criterion
from pruning.importance.shares import dealt_by_head

STEP = 1e-4  # of the finite differences, in double precision


def gradient_importance(model: Any, encoded: Encoded, *, is_regression: bool, seed: int) -> dict[str, Importance]:
    chosen = [criterion for criterion in CRITERIA.values() if criterion.needs in ("gradients", "answers")]
    return gradients.gradient_importance(model, encoded, chosen, is_regression=is_regression, seed=seed)


@pytest.fixture
def encoded(tiny_tokenizer: Any, tiny_examples: Examples) -> Encoded:
    return encode(tiny_tokenizer, tiny_examples.take(range(0, 22, 3)), 10)


@pytest.fixture
def encoded_pairs(tiny_tokenizer: Any, tiny_pairs: Examples) -> Encoded:
    return encode(tiny_tokenizer, tiny_pairs, 12)


def gathered(teacher: Any, tokenizer: Any, encoded: Encoded) -> ImportanceFactors:
    """All criteria, of a teacher and a copy with slim layers that were never trained."""
    slimmed = attach(copy.deepcopy(teacher))
    return gather_factors(teacher, slimmed, tokenizer, encoded, is_regression=False, general_share=0.2, seed=3)


def inputs_of(encoded: Encoded, example: int) -> dict[str, torch.Tensor]:
    """One example alone, without padding."""
    return {
        "input_ids": torch.from_numpy(encoded.input_ids[example].astype(np.int64))[None],
        "token_type_ids": torch.from_numpy(encoded.token_type_ids[example].astype(np.int64))[None],
    }


@torch.no_grad()
def losses(model: Any, encoded: Encoded, is_regression: bool) -> np.ndarray:
    """Every example's loss, each computed alone, double precision."""
    found = []
    for example, label in enumerate(encoded.labels):
        logits = model(**inputs_of(encoded, example)).logits[0]
        if is_regression:
            found.append(float((logits[0] - float(label)) ** 2))
        else:
            found.append(-float(functional.log_softmax(logits, dim=-1)[int(label)]))
    return np.array(found)


@torch.no_grad()
def answers(model: Any, encoded: Encoded, is_regression: bool) -> np.ndarray:
    """Log-odds of every example's most probable label, or its score."""
    found = []
    for example in range(len(encoded)):
        logits = model(**inputs_of(encoded, example)).logits[0]
        probability = torch.softmax(logits, dim=-1).max()
        found.append(float(logits[0] if is_regression else torch.logit(probability)))
    return np.array(found)


def slopes(
    model: Any, encoded: Encoded, is_regression: bool, layer: Any, units: slice, losses: Callable[..., Any] = losses
) -> np.ndarray:
    """Change of every example's loss (or answer) by a common change of these units' gates, (examples,)."""
    found = []
    for change in (STEP, -STEP):
        with torch.no_grad():
            layer.alpha[units] += change
        found.append(losses(model, encoded, is_regression))
        with torch.no_grad():
            layer.alpha[units] -= change
    return (found[0] - found[1]) / (2 * STEP)


@pytest.mark.parametrize("is_regression", [False, True], ids=["classes", "scores of pairs"])
def test_gradients_are_those_of_finite_differences(
    make_bert: Callable[..., Any], request: Any, monkeypatch: pytest.MonkeyPatch, is_regression: bool
) -> None:
    """Absolute values are taken per example: examples with opposite gradients do not cancel each other."""
    monkeypatch.setattr(gradients, "BATCH", 3)  # several batches, and padding within each
    encoded = request.getfixturevalue("encoded_pairs" if is_regression else "encoded")
    model = make_bert(num_labels=1 if is_regression else 2)
    found = gradient_importance(model, encoded, is_regression=is_regression, seed=0)
    reference = attach(model.double())
    shape = BertShape(2, 2, 4, 8, 16, model.config.vocab_size, 32, 2, 8, model.config.num_labels)
    number = dict.fromkeys(Site, 0)
    for layer in slim_layers(reference):
        values = found["taylor"][layer.site]
        values = values if layer.site is Site.HIDDEN else values[number[layer.site]]
        chosen = range(0, len(values), 1 if layer.site is Site.HIDDEN else 3)
        by_unit = [slopes(reference, encoded, is_regression, layer, slice(unit, unit + 1)) for unit in chosen]
        np.testing.assert_allclose(values[list(chosen)], np.abs(by_unit).mean(1), rtol=2e-3, atol=1e-6)
        values = found["fisher"][layer.site]
        values = values if layer.site is Site.HIDDEN else values[number[layer.site]]
        np.testing.assert_allclose(values[list(chosen)], np.square(by_unit).mean(1), rtol=4e-3, atol=1e-6)
        if layer.site is Site.ATTENTION_CONTEXT:
            heads = [slice(head * 4, head * 4 + 4) for head in range(2)]
            by_head = [slopes(reference, encoded, is_regression, layer, own) for own in heads]
            own = found["head_gradient"][Site.ATTENTION_CONTEXT][number[layer.site]]
            np.testing.assert_allclose(own, np.abs(by_head).mean(1), rtol=2e-3, atol=1e-6)
            own = found["head_fisher"][Site.ATTENTION_CONTEXT][number[layer.site]]
            np.testing.assert_allclose(own, np.square(by_head).mean(1), rtol=4e-3, atol=1e-6)
            by_head = [slopes(reference, encoded, is_regression, layer, own, answers) for own in heads]
            own = found["head_answer"][Site.ATTENTION_CONTEXT][number[layer.site]]
            np.testing.assert_allclose(own, np.abs(by_head).mean(1), rtol=2e-3, atol=1e-6)
            by_unit = [slopes(reference, encoded, is_regression, layer, slice(u, u + 1), answers) for u in chosen]
            own = found["answer"][layer.site][number[layer.site]][list(chosen)]
            np.testing.assert_allclose(own, np.abs(by_unit).mean(1), rtol=2e-3, atol=1e-6)
        number[layer.site] += 1
    assert all(values.shape == shape.units(site) for site, values in found["taylor"].items())
    assert all(values.dtype == np.float32 for values in found["taylor"].values())
    assert found["head_gradient"][Site.ATTENTION_CONTEXT].shape == (2, 2)


def test_answers_need_no_labels(make_bert: Callable[..., Any], encoded: Encoded) -> None:
    model = make_bert(num_labels=3)
    turned = replace(encoded, labels=2 - encoded.labels)
    found, again = (gradient_importance(model, e, is_regression=False, seed=0) for e in (encoded, turned))
    assert np.array_equal(found["answer"][Site.FFN_HIDDEN], again["answer"][Site.FFN_HIDDEN])
    assert not np.allclose(found["taylor"][Site.FFN_HIDDEN], again["taylor"][Site.FFN_HIDDEN], rtol=1e-2)


def test_the_network_is_left_as_it_was(tiny_bert: Any, encoded: Encoded) -> None:
    frozen = tiny_bert.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in tiny_bert.state_dict().items()}
    gradient_importance(tiny_bert, encoded, is_regression=False, seed=0)
    pooler_importance(tiny_bert, encoded, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in tiny_bert.state_dict().items())
    assert [p for p in tiny_bert.parameters() if not p.requires_grad] == [frozen]
    assert all(parameter.grad is None for parameter in tiny_bert.parameters())
    modules = list(tiny_bert.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_large_sets_are_sampled_by_seed(
    tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradients, "EXAMPLES", 5)
    chosen = np.random.default_rng(7).permutation(22)[:5]
    whole = encode(tiny_tokenizer, tiny_examples, 12)
    part = encode(tiny_tokenizer, tiny_examples.take(chosen), 12)
    first, expected = (gradient_importance(tiny_bert, e, is_regression=False, seed=7) for e in (whole, part))
    other = gradient_importance(tiny_bert, whole, is_regression=False, seed=8)
    for site in Site:
        np.testing.assert_allclose(first["taylor"][site], expected["taylor"][site], rtol=1e-4, atol=1e-7)
        assert not np.allclose(first["taylor"][site], other["taylor"][site], rtol=1e-2)
    pooler = pooler_importance(tiny_bert, whole, seed=7)
    np.testing.assert_allclose(pooler, pooler_importance(tiny_bert, part, seed=7), rtol=1e-4)


@pytest.mark.parametrize("labels", [1, 2, 3])
def test_pooler_importance_by_hand(make_bert: Callable[..., Any], encoded: Encoded, labels: int) -> None:
    model = make_bert(num_labels=labels)
    with torch.no_grad():
        pooled = [model.bert(**inputs_of(encoded, example)).pooler_output[0].numpy() for example in range(len(encoded))]
    weight = model.classifier.weight.detach().numpy()
    if labels > 1:  # adding the same to every logit changes nothing
        weight = weight - weight.mean(0)
    expected = np.std(pooled, axis=0) * np.sqrt(np.square(weight).sum(0))
    found = pooler_importance(model, encoded, seed=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_alpha_importance_is_the_magnitude_of_the_factors(tiny_bert: Any, tiny_shape: BertShape) -> None:
    attach(tiny_bert, sites=[Site.HIDDEN, Site.FFN_HIDDEN])
    with torch.no_grad():
        for number, layer in enumerate(slim_layers(tiny_bert)):
            layer.alpha.fill_(-0.5 * number)
    found = alpha_importance(tiny_bert)
    assert set(found) == {Site.HIDDEN, Site.FFN_HIDDEN}
    assert found[Site.FFN_HIDDEN].shape == tiny_shape.units(Site.FFN_HIDDEN)
    assert found[Site.FFN_HIDDEN][:, 0].tolist() == [0.5, 1.0]
    assert found[Site.FFN_HIDDEN].dtype == np.float32


@pytest.mark.parametrize("rank", [6, 2])
def test_the_tables_spectrum_is_that_of_an_svd(rank: int) -> None:
    generator = np.random.default_rng(0)
    words = (generator.normal(size=(50, rank)) @ generator.normal(size=(rank, 6))).astype(np.float32)
    counts = generator.integers(0, 30, 50)
    protected, unusable = np.arange(50) < 5, (np.arange(50) % 9 == 1)
    pieces = table_pieces(counts, protected, unusable, words, general_share=0.2)
    assert unusable[1]
    assert protected[1]
    assert pieces.counts[1] == counts[1]  # protected: kept although no text produces it
    assert np.array_equal(pieces.counts == -1, unusable & ~protected)
    assert (pieces.counts.dtype, pieces.protected.dtype, pieces.spectrum.dtype) == (np.int32, bool, np.float32)
    mass = piece_mass(pieces.counts, protected, 0.2)
    expected = np.linalg.svd(words.astype(np.float64) * np.sqrt(mass)[:, None], compute_uv=False)
    np.testing.assert_allclose(pieces.spectrum, expected, rtol=1e-5, atol=1e-3 * expected[0] if rank < 6 else 0)


def test_all_criteria_stand_side_by_side(tiny_bert: Any, tiny_tokenizer: Any, encoded: Encoded) -> None:
    factors = gathered(tiny_bert, tiny_tokenizer, encoded)
    assert list(factors.by_criterion) == list(CRITERIA)
    assert set(UNIT_CRITERIA) == set(CRITERIA) - {"head_gradient", "head_fisher", "head_answer"}
    for name in UNIT_CRITERIA:
        assert {site: values.shape for site, values in factors.of(name).items()} == {
            site: factors.shape.units(site) for site in Site
        }
    for site, values in gradient_importance(tiny_bert, encoded, is_regression=False, seed=3)["taylor"].items():
        assert np.array_equal(factors.by_criterion["taylor"][site], values)
    assert np.array_equal(factors.pooler, pooler_importance(attach(tiny_bert), encoded, seed=3))
    assert factors.pieces.counts.clip(0).sum() == encoded.lengths.sum()


def test_a_new_criterion_is_a_module_and_a_line(tiny_bert: Any, encoded: Encoded, monkeypatch: Any) -> None:
    """It takes part in the one pass of gradients that the others share."""
    largest = types.ModuleType("tests.largest")
    largest.contribution = lambda gradient, site, shape: np.abs(gradient).max(0)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tests.largest", largest)
    monkeypatch.setitem(CRITERIA, "largest", Criterion("largest", "tests.largest", "gradients", "units"))
    found = gradient_importance(tiny_bert, encoded, is_regression=False, seed=0)
    assert set(found) == {"taylor", "head_gradient", "fisher", "head_fisher", "answer", "head_answer", "largest"}
    assert all((found["largest"][site] <= found["taylor"][site] + 1e-7).all() for site in Site)  # one batch


def test_importance_dealt_by_head_keeps_sums_and_shares() -> None:
    context, elsewhere = Site.ATTENTION_CONTEXT, np.ones((2, 3), dtype=np.float32)
    units = np.array([[1, 3, 2, 2], [0, 0, 5, 3]], dtype=np.float32)
    heads = np.array([[1, 0], [2, 5]], dtype=np.float32)
    found = dealt_by_head({context: units, Site.FFN_HIDDEN: elsewhere}, {context: heads})
    assert found[Site.FFN_HIDDEN] is elsewhere
    # 16 in all, dealt 1 : 0 : 2 : 5; a head whose units count for nothing shares evenly.
    np.testing.assert_allclose(found[context], [[0.5, 1.5, 0, 0], [2, 2, 6.25, 3.75]])
    nothing = dealt_by_head({context: units}, {context: heads * 0})
    assert (nothing[context] == 0).all()


@pytest.mark.parametrize(
    ("criterion", "of_heads"), [("taylor", "head_gradient"), ("fisher", "head_fisher"), ("answer", "head_answer")]
)
def test_criteria_dealt_by_head_rank_heads_as_whole_heads_are(
    tiny_bert: Any, tiny_tokenizer: Any, encoded: Encoded, criterion: str, of_heads: str
) -> None:
    factors = gathered(tiny_bert, tiny_tokenizer, encoded)
    dealt, whole = factors.heads(f"{criterion}_by_head"), factors.heads(of_heads)
    np.testing.assert_allclose(dealt / dealt.sum(), whole / whole.sum(), rtol=1e-5)
    assert dealt.sum() == pytest.approx(factors.heads(criterion).sum(), rel=1e-5)
    for site in set(Site) - {Site.ATTENTION_CONTEXT}:
        assert np.array_equal(factors.of(f"{criterion}_by_head")[site], factors.of(criterion)[site])


def test_magnitude_by_hand(tiny_bert: Any, tiny_shape: BertShape) -> None:
    found = magnitude.importance(tiny_bert)
    assert {site: values.shape for site, values in found.items()} == {site: tiny_shape.units(site) for site in Site}
    layer = tiny_bert.bert.encoder.layer[1]
    inner, outer = (part.dense.weight.detach().numpy() for part in (layer.intermediate, layer.output))
    norm = np.linalg.norm
    np.testing.assert_allclose(found[Site.FFN_HIDDEN][1], norm(inner, axis=1) * norm(outer, axis=0), rtol=1e-5)
    value, output = (p.weight.detach().numpy() for p in (layer.attention.self.value, layer.attention.output.dense))
    np.testing.assert_allclose(found[Site.ATTENTION_CONTEXT][1], norm(value, axis=1) * norm(output, axis=0), rtol=1e-5)
    np.testing.assert_allclose(found[Site.FFN_INPUT][1], norm(inner, axis=0), rtol=1e-5)
    with torch.no_grad():  # the same network, written otherwise
        layer.attention.self.value.weight[3] *= 4
        layer.attention.output.dense.weight[:, 3] /= 4
    np.testing.assert_allclose(
        magnitude.importance(tiny_bert)[Site.ATTENTION_CONTEXT], found[Site.ATTENTION_CONTEXT], rtol=1e-5
    )


def test_the_control_is_drawn_by_seed(tiny_shape: BertShape) -> None:
    first, again, other = (control.importance(tiny_shape, seed) for seed in (1, 1, 2))
    for site in Site:
        assert first[site].shape == tiny_shape.units(site)
        assert np.array_equal(first[site], again[site])
        assert not np.array_equal(first[site], other[site])


def test_heads_by_criteria_of_heads_and_of_units(tiny_shape: BertShape) -> None:
    pieces = TablePieces(np.zeros(67, dtype=np.int32), np.zeros(67, dtype=bool), np.ones(8, dtype=np.float32))
    units = {Site.ATTENTION_CONTEXT: np.arange(16, dtype=np.float32).reshape(2, 8) * -1}
    by_criterion = {
        "older": units,
        "taylor": units,
        "head_gradient": {Site.ATTENTION_CONTEXT: np.eye(2, dtype=np.float32)},
        "wrong": {Site.ATTENTION_CONTEXT: np.ones((2, 3), dtype=np.float32)},
        "alpha": {Site.HIDDEN: np.ones(8, dtype=np.float32)},
    }
    factors = ImportanceFactors(tiny_shape, by_criterion, pieces, np.ones(8, dtype=np.float32))
    assert factors.head_criteria == ["head_gradient", "taylor", "older", "wrong"]
    assert factors.heads().tolist() == factors.heads("head_gradient").tolist() == [[1, 0], [0, 1]]
    assert factors.heads("taylor").tolist() == [[1.5, 5.5], [9.5, 13.5]]
    for name, message in (("alpha", "no values for heads"), ("magic", "expected one of"), ("wrong", "shape")):
        with pytest.raises(SelectionError, match=message):
            factors.heads(name)


def test_the_pooler_is_judged_by_passes_that_were_made_already(
    tiny_bert: Any, tiny_tokenizer: Any, encoded: Encoded
) -> None:
    found = gather_factors(tiny_bert, None, tiny_tokenizer, encoded, is_regression=False, general_share=0.2, seed=3)
    np.testing.assert_allclose(found.pooler, pooler_importance(tiny_bert, encoded, seed=3), rtol=1e-4)
    assert not tiny_bert.classifier._forward_pre_hooks
