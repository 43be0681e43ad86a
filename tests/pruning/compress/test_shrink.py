"""The law: shrunk logits equal masked logits, whatever the masks; every further cut against an oracle of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pruning import slimbert
from pruning.bert.backbones import find_backbone, load_backbone
from pruning.bert.counts import count_parameters
from pruning.bert.gates import attach, masked_copy, read_factors
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, Masks, Site, network_shape
from pruning.bert.weights import BertWeights
from pruning.compress import shrink
from pruning.data.tasks import get_task
from pruning.errors import SelectionError
from tests.conftest import SHAPE
from tests.factories.random_masks import random_masks, set_factors

TOLERANCE = 1e-4
Inputs = dict[str, torch.Tensor]

# Head counts and sizes of real backbones, the rest small: all-MiniLM-L6-v2 has 12 heads of 32, BERT-base 12 of 64.
WIDTHS = {
    "tiny": {},
    "12 x 32": {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 48, "num_hidden_layers": 2},
    "12 x 64": {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 40, "num_hidden_layers": 1},
}
# How many units each site keeps: all of one kind, or drawn for each site on its own.
KEEP = {site: st.sampled_from((0.0, 0.15, 0.5, 0.9, 1.0)) for site in Site}


def texts(vocabulary: int, seed: int = 1, lengths: tuple[int, ...] = (9, 5, 2)) -> Inputs:
    """Padded texts, some tokens of the second type."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(1, vocabulary, mask.shape, generator=generator) * mask
    types = torch.randint(0, 2, mask.shape, generator=generator) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def build(weights: BertWeights, shape: BertShape) -> slimbert.SlimBertForSequenceClassification:
    labels = {number: f"label {number}" for number in range(shape.labels)}
    return slimbert.from_weights(weights, id2label=labels, problem_type="single_label_classification", original=shape)


@torch.no_grad()
def difference(first: nn.Module, second: nn.Module, inputs: Inputs, second_inputs: Inputs | None = None) -> float:
    return float((first(**inputs).logits - second(**(second_inputs or inputs)).logits).abs().max())


def check_law(model: nn.Module, masks: Masks) -> None:
    """Shrink with the model's factors; compare logits, widths and counts."""
    shape = bert_shape(model)
    factors = read_factors(model) if hasattr(model, "slim") else None
    small = build(shrink.shrink(read_weights(model), shape, masks, factors=factors), shape)
    assert difference(masked_copy(model, masks), small, texts(shape.vocabulary)) < TOLERANCE
    expected = network_shape(
        shape, masks, vocabulary=shape.vocabulary, rank=None, positions=shape.positions, pooler=shape.pooler
    )
    assert slimbert.shape_of(small.config) == expected
    assert slimbert.parameter_count(small) == count_parameters(expected)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(keep=st.fixed_dictionaries(KEEP), seed=st.integers(0, 10_000), has_factors=st.booleans())
def test_law_for_random_masks_at_all_sites(
    make_bert: Callable[..., Any], keep: dict[Site, float], seed: int, has_factors: bool
) -> None:
    model = make_bert(seed)
    if has_factors:
        set_factors(attach(model), seed)
    check_law(model, random_masks(bert_shape(model), keep, seed))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("site", list(Site))
@pytest.mark.parametrize("widths", list(WIDTHS))
def test_law_at_each_site_alone(make_bert: Callable[..., Any], widths: str, site: Site, share: float) -> None:
    model = make_bert(3, **WIDTHS[widths])
    set_factors(attach(model), 3)
    check_law(model, random_masks(bert_shape(model), {**dict.fromkeys(Site, 1.0), site: share}))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0], ids="{} of units kept".format)
@pytest.mark.parametrize("widths", list(WIDTHS))
def test_law_at_all_sites_together(make_bert: Callable[..., Any], widths: str, share: float) -> None:
    model = make_bert(4, **WIDTHS[widths])
    set_factors(attach(model), 4)
    check_law(model, random_masks(bert_shape(model), dict.fromkeys(Site, share)))


@pytest.mark.parametrize("kept", [0, 5])
def test_law_with_a_single_residual_unit(make_bert: Callable[..., Any], kept: int) -> None:
    model = make_bert()
    set_factors(attach(model), 0)
    check_law(model, Masks.full(bert_shape(model)).with_site(Site.HIDDEN, np.arange(8) == kept))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_law_on_the_embedded_backbone(share: float) -> None:
    model = load_backbone(find_backbone(), get_task("mnli"))
    shape = bert_shape(model)
    keep = {**dict.fromkeys(Site, share), Site.HIDDEN: 1 - (1 - share) / 3 if share else 0.0}
    check_law(model, random_masks(shape, keep, 7))


def test_only_attached_sites_are_folded(tiny_bert: Any, tiny_shape: BertShape) -> None:
    set_factors(attach(tiny_bert, sites=[Site.FFN_HIDDEN, Site.HIDDEN]))
    folded = shrink.fold_factors(read_weights(tiny_bert), read_factors(tiny_bert))
    assert difference(tiny_bert, build(folded, tiny_shape), texts(tiny_shape.vocabulary)) < TOLERANCE


def test_heads_go_with_their_last_unit(tiny_bert: Any, tiny_shape: BertShape) -> None:
    mask = np.ones((2, 8), dtype=bool)
    mask[0, :4] = False  # head 0 of layer 0
    mask[1, [0, 1, 6]] = False
    cut = shrink.cut_context(read_weights(tiny_bert), mask)
    assert [attention.context for attention, _ in cut.layers] == [(4,), (2, 3)]
    config = build(cut, tiny_shape).config
    assert config.kept_heads == [[1], [0, 1]]
    assert [layer["value_width"] for layer in config.layers] == [4, 3]


def test_padding_is_zero_and_counted(tiny_bert: Any, tiny_shape: BertShape) -> None:
    mask = np.ones((2, 8), dtype=bool)
    mask[0, [0, 1, 2]] = False  # head 0 keeps 1 unit, head 1 all 4
    network = build(shrink.cut_context(read_weights(tiny_bert), mask), tiny_shape)
    attention = network.slimbert.layers[0].attention
    assert attention.projection.weight.shape == (2 * 8 + 2 * 4, 8)
    value, bias = attention.projection.weight[16:], attention.projection.bias[16:]
    assert not value[1:4].any()
    assert not bias[1:4].any()
    assert not attention.output.weight[:, 1:4].any()
    assert value[4:].all()


def test_full_reads_need_no_gather(tiny_bert: Any, tiny_shape: BertShape) -> None:
    """A sub-layer that reads every unit left has no index buffer, also where it did not read those that are gone."""
    hidden = np.arange(8) < 5
    masks = Masks.full(tiny_shape).with_site(Site.HIDDEN, hidden)
    masks = masks.with_site(Site.ATTENTION_INPUT, np.stack([hidden, np.ones(8, dtype=bool)]))
    masks = masks.with_site(Site.FFN_INPUT, np.stack([np.arange(8) != 4, np.arange(8) > 1]))
    weights = shrink.shrink(read_weights(tiny_bert), tiny_shape, masks)
    assert [attention.reads for attention, _ in weights.layers] == [None, None]
    assert [ffn.reads.tolist() for _, ffn in weights.layers if ffn.reads is not None] == [[0, 1, 2, 3], [2, 3, 4]]


def test_vocabulary_cut_keeps_logits_on_kept_pieces(tiny_bert: Any, tiny_shape: BertShape) -> None:
    pieces = np.array([0, 2, 3, 5, 8, 13, 21, 34, 55])
    network = build(shrink.cut_vocabulary(read_weights(tiny_bert), pieces), tiny_shape)
    inputs = texts(len(pieces))
    full = {**inputs, "input_ids": torch.from_numpy(pieces)[inputs["input_ids"]]}
    assert network.config.vocab_size == len(pieces)
    assert difference(tiny_bert, network, full, inputs) < 1e-6


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_low_rank_equals_the_reconstructed_table(tiny_bert: Any, tiny_shape: BertShape, rank: int) -> None:
    weights = shrink.factor_table(read_weights(tiny_bert), rank, np.arange(tiny_shape.vocabulary))
    assert weights.words_projection is not None
    assert weights.words.shape == (tiny_shape.vocabulary, rank)
    whole = replace(weights, words=weights.words @ weights.words_projection.T, words_projection=None)
    inputs = texts(tiny_shape.vocabulary)
    factored = build(weights, tiny_shape)
    assert difference(build(whole, tiny_shape), factored, inputs) < TOLERANCE
    assert slimbert.parameter_count(factored) == count_parameters(slimbert.shape_of(factored.config))
    if rank == tiny_shape.hidden:
        assert difference(tiny_bert, factored, inputs) < TOLERANCE


def test_low_rank_is_the_best_for_the_frequencies(tiny_bert: Any, tiny_shape: BertShape) -> None:
    """Eckart-Young for the weighted table: what is lost is what the spectrum says, for frequent pieces less."""
    frequencies = np.random.default_rng(0).pareto(1.0, tiny_shape.vocabulary)
    weights = read_weights(tiny_bert)

    def loss(factored: BertWeights) -> float:
        assert factored.words_projection is not None
        missing = weights.words - factored.words @ factored.words_projection.T
        return float((missing.square().sum(1).double() * torch.from_numpy(frequencies)).sum())

    spectrum = np.linalg.svd(weights.words.double().numpy() * np.sqrt(frequencies)[:, None], compute_uv=False)
    best = loss(shrink.factor_table(weights, 3, frequencies))
    assert best == pytest.approx(np.square(spectrum[3:]).sum(), rel=1e-4)
    assert best < 0.9 * loss(shrink.factor_table(weights, 3))


def test_frequencies_follow_the_kept_pieces(tiny_bert: Any, tiny_shape: BertShape) -> None:
    frequencies = np.random.default_rng(0).pareto(1.0, tiny_shape.vocabulary)
    pieces = np.arange(1, tiny_shape.vocabulary, 3)
    weights = read_weights(tiny_bert)
    cut = shrink.shrink(weights, tiny_shape, Masks.full(tiny_shape), pieces=pieces, rank=2, frequencies=frequencies)
    expected = shrink.factor_table(replace(weights, words=weights.words[pieces]), 2, frequencies[pieces])
    assert torch.equal(cut.words, expected.words)


def test_factoring_repeats_with_fixed_signs(tiny_bert: Any, tiny_shape: BertShape) -> None:
    weights = read_weights(tiny_bert)
    first = shrink.factor_table(weights, 5)
    assert first.words_projection is not None
    largest = first.words_projection.abs().argmax(0)
    assert (first.words_projection[largest, torch.arange(5)] > 0).all()
    turned = replace(weights, words=-weights.words)
    second = shrink.factor_table(turned, 5)
    torch.testing.assert_close(second.words_projection, first.words_projection)
    torch.testing.assert_close(second.words, -first.words)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(keep=st.fixed_dictionaries(KEEP), seed=st.integers(0, 10_000))
def test_all_cuts_together(make_bert: Callable[..., Any], keep: dict[Site, float], seed: int) -> None:
    """Masks, factors, vocabulary, rank, positions and pooler at once against the masked network with that table."""
    model = make_bert(seed)
    set_factors(attach(model), seed)
    shape = bert_shape(model)
    generator = np.random.default_rng(seed)
    pieces = np.flatnonzero(generator.random(shape.vocabulary) < 0.5)
    pooler = generator.random(shape.pooler) < 0.7
    frequencies = generator.random(shape.vocabulary)
    masks = random_masks(shape, keep, seed)
    width = max(1, int(masks.hidden.sum()))
    rank = int(generator.integers(1, width + 1))
    weights = shrink.shrink(
        read_weights(model), shape, masks, factors=read_factors(model), pieces=pieces, rank=rank,
        frequencies=frequencies, positions=9, pooler=pooler,
    )  # fmt: skip
    small = build(weights, shape)
    reference = masked_copy(model, masks)
    with torch.no_grad():
        reference.classifier.weight[:, torch.from_numpy(~pooler)] = 0
        if masks.hidden.any():
            table = reference.bert.embeddings.word_embeddings.weight
            assert weights.words_projection is not None
            kept = table.new_zeros(len(pieces), shape.hidden)
            kept[:, torch.from_numpy(masks.hidden)] = weights.words @ weights.words_projection.T
            table[torch.from_numpy(pieces)] = kept
    inputs = texts(len(pieces), seed)
    full = {**inputs, "input_ids": torch.from_numpy(pieces)[inputs["input_ids"]]}
    assert difference(reference, small, full, inputs) < TOLERANCE
    expected = network_shape(shape, masks, vocabulary=len(pieces), rank=rank, positions=9, pooler=int(pooler.sum()))
    assert slimbert.shape_of(small.config) == expected
    assert slimbert.parameter_count(small) == count_parameters(expected)


def test_weights_given_are_left_as_they_are(tiny_bert: Any, tiny_shape: BertShape) -> None:
    set_factors(attach(tiny_bert), 1)
    weights, untouched = read_weights(tiny_bert), read_weights(tiny_bert)
    masks = random_masks(tiny_shape, dict.fromkeys(Site, 0.5))
    small = build(shrink.shrink(weights, tiny_shape, masks, factors=read_factors(tiny_bert), rank=2), tiny_shape)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.zero_()
    inputs = texts(tiny_shape.vocabulary)
    assert difference(build(weights, tiny_shape), build(untouched, tiny_shape), inputs) == 0


HIDDEN_9 = Masks.full(SHAPE).with_site(Site.HIDDEN, np.ones(9, dtype=bool))
BAD_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"pieces": np.array([3, 2])}, "sorted, distinct numbers from 0 to 67"),
    ({"pieces": np.array([2, 2])}, "sorted, distinct"),
    ({"pieces": np.array([0, 68])}, "sorted, distinct"),
    ({"pieces": np.array([], dtype=np.int64)}, "sorted, distinct"),
    ({"rank": 0}, "embedding rank 0: expected 1 to 8"),
    ({"rank": 9}, "embedding rank 9: expected 1 to 8"),
    ({"rank": 2, "frequencies": np.ones(3)}, r"shape \(3,\), expected \(68,\)"),
    ({"rank": 2, "frequencies": -np.ones(68)}, "none negative"),
    ({"positions": 0}, "positions 0: expected 1 to 32"),
    ({"positions": 33}, "positions 33: expected 1 to 32"),
    ({"masks": HIDDEN_9}, r"mask for hidden: found bool \(9,\), expected bool \(8,\)"),
    ({"pooler": np.ones(7, dtype=bool)}, r"mask for the pooler.*expected bool \(8,\)"),
    ({"pooler": np.ones(8)}, "mask for the pooler: found float64"),
    ({"pooler": np.zeros(8, dtype=bool)}, "with 0 units kept, expected bool .* at least 1"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_ARGUMENTS)
def test_arguments_that_do_not_fit(
    tiny_bert: Any, tiny_shape: BertShape, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SelectionError, match=message) as caught:
        shrink.shrink(read_weights(tiny_bert), tiny_shape, **{"masks": Masks.full(tiny_shape), **arguments})
    assert "\n" not in str(caught.value)
