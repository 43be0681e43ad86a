"""What a latency table times in ONNX Runtime is the network itself."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from pruning import slimbert
from pruning.bert.model import read_weights
from pruning.bert.shapes import BertShape
from pruning.export.bound import in_onnx
from pruning.measure.latency_table import latency_table
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from tests.conftest import build_bert


@pytest.mark.parametrize(("is_int8", "tolerance"), [(False, 1e-4), (True, 0.2)])
def test_it_answers_as_torch_does(is_int8: bool, tolerance: float) -> None:
    bert = build_bert()
    network = Network(slimbert.from_bert(bert, read_weights(bert)).eval(), None, 16)
    inputs = made_up(network, 3, 7)
    with torch.inference_mode():
        expected = network.model(**inputs).logits.numpy()
    (logits,) = in_onnx(network, inputs, is_int8=is_int8)(0)
    np.testing.assert_allclose(logits, expected, atol=tolerance)
    assert is_int8 == bool(np.abs(logits - expected).max() > 1e-4)


def test_a_table_says_what_computed() -> None:
    shape = BertShape(2, 4, 16, 64, 256, vocabulary=50, positions=64, token_types=2, pooler=64, labels=2)
    bind = partial(in_onnx, is_int8=False)
    table = latency_table(shape, batch=2, length=8, steps=1, turns=3, bind=bind, runtime="onnx")
    assert (table.runtime, table.batch, table.length, table.heads, table.ffn) == ("onnx", 2, 8, (0, 1, 4), (0, 256))
    assert table.other_ms > 0
