from __future__ import annotations

import numpy as np
import pytest

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape, Masks, Site, network_shape
from slimviz.frames.drawing import NetworkDrawing, network_drawing

SHAPE = BertShape(2, 4, 8, 32, 64, 500, 16, 2, 32, 2)


def drawn(masks: Masks, vocabulary: int = 500, rank: int | None = None) -> NetworkDrawing:
    slim = network_shape(SHAPE, masks, vocabulary=vocabulary, rank=rank, positions=16, pooler=32)
    return network_drawing(SHAPE, slim, masks)


def area(drawing: NetworkDrawing) -> float:
    """Parameters that the filled areas stand for."""
    layers = sum(
        drawing.attention * sum(layer.heads) / len(layer.heads) + drawing.ffn * layer.ffn for layer in drawing.layers
    )
    return layers + drawing.table * drawing.table_width * drawing.pieces + drawing.rest * drawing.rest_left


def test_nothing_cut_fills_the_teacher() -> None:
    drawing = drawn(Masks.full(SHAPE))
    assert area(drawing) == pytest.approx(count_parameters(SHAPE.network()).total)
    assert drawing.table_words == "500 of 500 pieces"


def test_areas_are_the_parameters_that_are_left() -> None:
    """But for the constants of attention sub-layers, which are no head's."""
    context = np.zeros(SHAPE.units(Site.ATTENTION_CONTEXT), dtype=bool)
    context[0, :2] = context[0, 24:] = True  # two units of head 1, all of head 4
    ffn = np.zeros(SHAPE.units(Site.FFN_HIDDEN), dtype=bool)
    ffn[0, :16] = ffn[1, :3] = True
    masks = Masks.full(SHAPE).with_site(Site.ATTENTION_CONTEXT, context).with_site(Site.FFN_HIDDEN, ffn)
    drawing = drawn(masks, vocabulary=200, rank=8)
    slim = network_shape(SHAPE, masks, vocabulary=200, rank=8, positions=16, pooler=32)
    constants = SHAPE.layers * 3 * SHAPE.hidden
    assert count_parameters(slim).total - constants <= area(drawing) <= count_parameters(slim).total
    assert [share > 0 for share in drawing.layers[0].heads] == [True, False, False, True]
    assert drawing.layers[1].heads == (0.0,) * 4
    assert (drawing.layers[0].heads_left, drawing.layers[0].ffn_left) == (2, 16)
    assert drawing.table_words == "200 of 500 pieces, rank 8 of 32"


def test_a_network_pruned_to_nothing_is_empty() -> None:
    drawing = drawn(Masks.full(SHAPE, value=False), vocabulary=1)
    assert all(not any(layer.heads) and layer.ffn == 0 for layer in drawing.layers)
    assert 0 < area(drawing) < 0.02 * count_parameters(SHAPE.network()).total
