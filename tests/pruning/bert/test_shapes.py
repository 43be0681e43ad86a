"""Counting and masks: arithmetic on shapes, checked against real networks and by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pruning.bert.counts import attention_parameters, count_flops, count_parameters, ffn_parameters, table_parameters
from pruning.bert.shapes import LAYER_SITES, BertShape, LayerShape, Masks, Site, network_shape
from pruning.errors import SelectionError

MINILM = BertShape(6, 12, 32, 384, 1536, 30522, 512, 2, 384, 2)
BERT_BASE = BertShape(12, 12, 64, 768, 3072, 30522, 512, 2, 768, 2)


def kept(shape: BertShape, masks: Masks) -> Any:
    return network_shape(shape, masks, vocabulary=shape.vocabulary, rank=None, positions=shape.positions, pooler=8)


def test_units_of_each_site() -> None:
    shape = BertShape(3, 2, 5, 11, 7, 100, 16, 2, 11, 4)
    assert {site: shape.units(site) for site in Site} == {
        Site.HIDDEN: (11,),
        Site.ATTENTION_INPUT: (3, 11),
        Site.ATTENTION_CONTEXT: (3, 10),
        Site.FFN_INPUT: (3, 11),
        Site.FFN_HIDDEN: (3, 7),
    }
    assert set(Site) - set(LAYER_SITES) == {Site.HIDDEN}


@pytest.mark.parametrize(
    ("shape", "encoder", "total"),
    # Well known: 85,054,464 in the encoder of bert-base, 109.5 and 22.7 million in all (with two labels).
    [(BERT_BASE, 85_054_464, 109_483_778), (MINILM, 10_646_784, 22_713_986)],
)
def test_known_totals(shape: BertShape, encoder: int, total: int) -> None:
    count = count_parameters(shape.network())
    assert (count.encoder, count.total) == (encoder, total)


def test_flops_of_a_factored_table_and_of_empty_layers() -> None:
    shape = BertShape(1, 2, 4, 8, 16, 50, 16, 2, 8, 2)
    empty = kept(shape, Masks.full(shape, False).with_site(Site.HIDDEN, np.ones(8, dtype=bool)))
    assert count_flops(empty, 10) == 2 * (8 * 8 + 8 * 2)  # pooler and classifier only
    assert count_flops(replace(empty, rank=4), 10) == 2 * (10 * 4 * 8 + 8 * 8 + 8 * 2)


def test_parts_by_hand() -> None:
    assert table_parameters(100, 8, None) == 800
    assert table_parameters(100, 8, 3) == 3 * 100 + 3 * 8
    layer = LayerShape(heads=1, value_width=3, attention_reads=5, ffn=6, ffn_reads=7)
    # query, key (4 each) and value (3) read 5 units and have a bias; the output has one too, and a LayerNorm.
    assert attention_parameters(layer, 8, 4) == (4 + 4 + 3) * (5 + 1) + 3 * 8 + 8 + 2 * 8
    assert ffn_parameters(layer, 8) == 6 * (7 + 1) + 6 * 8 + 8 + 2 * 8
    # An empty sub-layer leaves a constant and a LayerNorm.
    assert attention_parameters(replace(layer, heads=0), 8, 4) == 3 * 8
    assert ffn_parameters(replace(layer, ffn=0), 8) == 3 * 8


def test_padding_to_the_widest_head_is_counted() -> None:
    shape = BertShape(1, 3, 4, 8, 16, 50, 16, 2, 8, 2)
    context = np.array([[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1]], dtype=bool)
    layer = kept(shape, Masks.full(shape).with_site(Site.ATTENTION_CONTEXT, context)).layers[0]
    assert (layer.heads, layer.value_width) == (2, 3)
    assert Masks.full(shape).with_site(Site.ATTENTION_CONTEXT, context).heads(shape).tolist() == [[1, 0, 3]]


def test_reads_count_only_where_the_residual_unit_is_there() -> None:
    shape = BertShape(1, 1, 4, 8, 16, 50, 16, 2, 8, 2)
    hidden = np.arange(8) < 5
    reads = (np.arange(8) % 2 == 0)[None]
    masks = Masks.full(shape).with_site(Site.HIDDEN, hidden).with_site(Site.ATTENTION_INPUT, reads)
    network = kept(shape, masks)
    assert network.hidden == 5
    assert (network.layers[0].attention_reads, network.layers[0].ffn_reads) == (3, 5)


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (Site.ATTENTION_INPUT, LayerShape(0, 0, 0, 16, 8)),
        (Site.ATTENTION_CONTEXT, LayerShape(0, 0, 0, 16, 8)),
        (Site.FFN_INPUT, LayerShape(2, 4, 8, 0, 0)),
        (Site.FFN_HIDDEN, LayerShape(2, 4, 8, 0, 0)),
        (Site.HIDDEN, LayerShape(0, 0, 0, 0, 0)),
    ],
)
def test_nothing_kept_at_a_site_empties_its_sub_layer(tiny_shape: BertShape, site: Site, expected: LayerShape) -> None:
    nothing = np.zeros(tiny_shape.units(site), dtype=bool)
    network = kept(tiny_shape, Masks.full(tiny_shape).with_site(site, nothing))
    assert network.layers == (expected, expected)
    assert network.hidden == (1 if site is Site.HIDDEN else 8)  # a LayerNorm needs a width


@pytest.mark.parametrize(
    "wrong",
    [np.ones((2, 15), dtype=bool), np.ones((2, 16)), np.ones(32, dtype=bool), [[True] * 16] * 2],
    ids=["width", "type", "axes", "list"],
)
def test_a_mask_that_does_not_fit_is_named(tiny_shape: BertShape, wrong: Any) -> None:
    masks = replace(Masks.full(tiny_shape), ffn_hidden=wrong)
    with pytest.raises(SelectionError, match=r"^mask for ffn_hidden: found .*, expected bool \(2, 16\)$") as caught:
        masks.check(tiny_shape)
    assert "\n" not in str(caught.value)


def test_masks_are_compared_and_replaced_by_value(tiny_shape: BertShape) -> None:
    full = Masks.full(tiny_shape)
    assert full.check(tiny_shape) is full
    assert kept(tiny_shape, full) == tiny_shape.network()
    assert full.equals(Masks.full(tiny_shape))
    for site in Site:
        other = full.with_site(site, np.zeros(tiny_shape.units(site)))
        assert other[site].dtype == bool
        assert not other[site].any()
        assert not full.equals(other)
        assert full[site].all()
        assert [name for name, mask in other.items() if not mask.all()] == [site]
