"""Least squares: what was not cut stays, what was cut is made good as far as it goes, and the same again each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pruning import slimbert
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import Masks, Site
from pruning.compress import least_squares
from pruning.compress.shrink import shrink
from pruning.data.batches import Encoded
from pruning.measure.logits import encoded_logits
from tests.conftest import SHAPE, SPECIAL
from tests.factories.random_masks import random_masks

CUT = dict.fromkeys(Site, 1.0) | {Site.ATTENTION_CONTEXT: 0.6, Site.FFN_HIDDEN: 0.6}
RIDGE = 1e-3


def texts(count: int = 120, seed: int = 5) -> Encoded:
    """Texts of 2 to 12 pieces, so that most batches hold padding."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(2, 13, count)
    ids = [generator.integers(len(SPECIAL), SHAPE.vocabulary, length).astype(np.int32) for length in lengths]
    types = [(np.arange(length) > length // 2).astype(np.int32) for length in lengths]
    labels = np.zeros(count, dtype=np.int64)
    return Encoded(ids, types, lengths.astype(np.int64), labels, truncated=0, max_length=12, pad_token_id=0)


def cut(model: Any, masks: Masks, **further: Any) -> Any:
    shape = bert_shape(model)
    weights = shrink(read_weights(model), shape, masks, **further)
    return slimbert.from_weights(
        weights, id2label={0: "a", 1: "b"}, problem_type="single_label_classification", original=shape
    )


def distance(model: Any, teacher: Any, encoded: Encoded) -> float:
    return float(np.square(encoded_logits(model, encoded) - encoded_logits(teacher, encoded)).mean())


def test_with_nothing_cut_nothing_changes(tiny_bert: Any) -> None:
    whole = cut(tiny_bert, Masks.full(SHAPE))
    found, fits = least_squares.solved(tiny_bert, whole, texts(), ridge=RIDGE)
    assert all(fit.before < 1e-10 and fit.after < 1e-10 for fit in fits)
    assert np.allclose(encoded_logits(found, texts(seed=6)), encoded_logits(tiny_bert, texts(seed=6)), atol=1e-4)


@pytest.mark.parametrize("ridge", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hidden", [1.0, 0.6])
def test_no_sub_layer_fits_worse_than_before(
    make_bert: Callable[..., Any], seed: int, ridge: float, hidden: float
) -> None:
    model = make_bert(seed)
    masks = random_masks(SHAPE, CUT | {Site.HIDDEN: hidden}, seed)
    found, fits = least_squares.solved(model, cut(model, masks), texts(), ridge=ridge, hidden=masks.hidden)
    assert [(fit.layer, fit.site) for fit in fits] == [
        (layer, site) for layer in range(SHAPE.layers) for site in (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN)
    ]
    assert all(fit.after <= fit.before * (1 + 1e-5) for fit in fits)
    assert any(fit.after < 0.9 * fit.before for fit in fits)
    assert slimbert.shape_of(found.config) == slimbert.shape_of(cut(model, masks).config)


def test_answers_on_other_texts_come_closer_to_the_teachers(make_bert: Callable[..., Any]) -> None:
    gains = []
    for seed in range(5):
        model = make_bert(seed)
        shrunk = cut(model, random_masks(SHAPE, CUT, seed))
        found, _ = least_squares.solved(model, shrunk, texts(), ridge=RIDGE)
        gains.append(distance(found, model, texts(seed=9)) / distance(shrunk, model, texts(seed=9)))
    assert np.median(gains) < 0.7


def test_a_unit_that_others_add_up_to_is_not_missed(tiny_bert: Any) -> None:
    """A unit that doubles another: dropping it halves what both said, and least squares doubles what is left."""
    ffn = tiny_bert.bert.encoder.layer[1]
    with torch.no_grad():
        ffn.intermediate.dense.weight[3] = ffn.intermediate.dense.weight[4]
        ffn.intermediate.dense.bias[3] = ffn.intermediate.dense.bias[4]
    mask = np.ones(SHAPE.units(Site.FFN_HIDDEN), dtype=bool)
    mask[1, 3] = False
    shrunk = cut(tiny_bert, Masks.full(SHAPE).with_site(Site.FFN_HIDDEN, mask))
    found, fits = least_squares.solved(tiny_bert, shrunk, texts(), ridge=0.0)
    assert fits[-1].before > 1e-4
    assert fits[-1].after < 1e-8
    outer = tiny_bert.bert.encoder.layer[1].output.dense.weight
    assert torch.allclose(found.slimbert.layers[1].ffn.outer.weight[:, 3], outer[:, 3] + outer[:, 4], atol=1e-3)


def test_empty_sub_layers_get_the_mean_of_what_is_missing(tiny_bert: Any) -> None:
    masks = Masks.full(SHAPE, value=False).with_site(Site.HIDDEN, np.ones(SHAPE.hidden, dtype=bool))
    found, fits = least_squares.solved(tiny_bert, cut(tiny_bert, masks), texts(), ridge=RIDGE)
    assert all(fit.after < fit.before for fit in fits)
    assert np.isfinite(encoded_logits(found, texts())).all()


def test_the_network_given_stays_and_the_same_call_gives_the_same_network(tiny_bert: Any) -> None:
    shrunk = cut(tiny_bert, random_masks(SHAPE, CUT, 1))
    before = {name: tensor.clone() for name, tensor in shrunk.state_dict().items()}
    first, second = (least_squares.solved(tiny_bert, shrunk, texts(), ridge=RIDGE)[0] for _ in range(2))
    assert all(torch.equal(tensor, before[name]) for name, tensor in shrunk.state_dict().items())
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


def test_a_cut_vocabulary_reads_texts_as_the_teacher_spells_them(tiny_bert: Any) -> None:
    """With the whole vocabulary, and with the pieces alone that the texts hold, the same matrices are found."""
    encoded, masks = texts(20), random_masks(SHAPE, CUT, 2)
    pieces = np.unique(np.concatenate(encoded.input_ids))
    kept = np.isin(np.arange(SHAPE.vocabulary), pieces).astype(np.float64)
    wide, narrow = (
        least_squares.solved(
            tiny_bert, cut(tiny_bert, masks, rank=4, frequencies=kept, **further), encoded, ridge=RIDGE
        )[0]
        for further in ({}, {"pieces": pieces})
    )
    assert len(pieces) < SHAPE.vocabulary
    for name, tensor in wide.state_dict().items():
        if name != "slimbert.embeddings.words.weight":
            assert torch.allclose(tensor, narrow.state_dict()[name], atol=1e-4), name
