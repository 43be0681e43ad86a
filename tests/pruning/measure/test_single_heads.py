"""Heads turned over in one pass: against networks that are really cut, one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning.compress.without_heads import without_heads
from pruning.measure.logits import forward
from pruning.measure.single_heads import turned_over
from pruning.slimbert import dense_from_bert

ALL = [(layer, head) for layer in range(2) for head in range(2)]


@pytest.mark.parametrize("off", [[], [(0, 1)], [(0, 0), (1, 0), (1, 1)], ALL], ids=str)
def test_each_row_is_the_network_with_that_head_cut_or_back(
    tiny_bert: Any, tiny_inputs: dict[str, torch.Tensor], off: list[tuple[int, int]]
) -> None:
    whole = dense_from_bert(tiny_bert)
    for example in range(3):  # padded ones, too
        one = {name: tensor[example : example + 1] for name, tensor in tiny_inputs.items()}
        found = turned_over(whole, one, off, ALL)
        wanted = [forward(without_heads(whole, off), one)[0]]
        wanted += [forward(without_heads(whole, set(off) ^ {head}), one)[0] for head in ALL]
        np.testing.assert_allclose(found, torch.stack(wanted).numpy(), atol=1e-5)
        assert len({tuple(row) for row in found.round(3).tolist()}) == 5


def test_a_slim_network_with_fewer_layers_and_heads(tiny_bert: Any, tiny_inputs: dict[str, torch.Tensor]) -> None:
    network = without_heads(dense_from_bert(tiny_bert), [(0, 0)])
    one = {name: tensor[:1] for name, tensor in tiny_inputs.items()}
    heads = [(0, 1), (1, 0), (1, 1)]
    found = turned_over(network, one, [], heads)
    wanted = [forward(network, one)[0], *(forward(without_heads(network, [head]), one)[0] for head in heads)]
    np.testing.assert_allclose(found, torch.stack(wanted).numpy(), atol=1e-5)
