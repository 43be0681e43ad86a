"""Heads taken out: against closed gates, masked networks and the cut from weights; the network itself stays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.gates import masked_copy
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.compress.shrink import shrink
from pruning.compress.without_heads import Head, without_heads
from pruning.errors import SelectionError
from pruning.slimbert import dense_from_bert, from_bert, parameter_count

Inputs = dict[str, torch.Tensor]
ALL = [(layer, head) for layer in range(2) for head in range(2)]
CUTS: list[list[Head]] = [[(0, 1)], [(1, 0)], [(0, 0), (1, 1)], [(1, 0), (1, 1)], [(0, 0), (0, 1), (1, 0)], ALL]


def logits(model: Any, inputs: Inputs, **settings: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(**inputs, **settings).logits


def heads_off(shape: BertShape, cut: list[Head]) -> Masks:
    context = np.ones((shape.layers, shape.heads, shape.head_size), dtype=bool)
    for layer, head in cut:
        context[layer, head] = False
    return Masks.full(shape).with_site(Site.ATTENTION_CONTEXT, context.reshape(shape.layers, -1))


@pytest.mark.parametrize("settings", [{}, {"num_labels": 3}, {"num_labels": 1}])
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_it_answers_as_the_masked_network(
    make_bert: Callable[..., Any], tiny_inputs: Inputs, cut: list[Head], settings: dict[str, Any]
) -> None:
    bert = make_bert(**settings)
    whole = dense_from_bert(bert)
    found = logits(without_heads(whole, cut), tiny_inputs)
    wanted = logits(masked_copy(bert, heads_off(bert_shape(bert), cut)), tiny_inputs)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert (found - logits(whole, tiny_inputs)).abs().max() > 1e-3
    gates = torch.ones(2, 2)
    for layer, head in cut:
        gates[layer, head] = 0
    torch.testing.assert_close(found, logits(whole, tiny_inputs, head_gates=gates), atol=1e-5, rtol=0)


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_it_is_the_network_cut_from_weights(tiny_bert: Any, tiny_inputs: Inputs, cut: list[Head]) -> None:
    """The same tensors, so the same bits."""
    shape = bert_shape(tiny_bert)
    wanted = from_bert(tiny_bert, shrink(read_weights(tiny_bert), shape, heads_off(shape, cut)))
    found = without_heads(dense_from_bert(tiny_bert), cut)
    assert found.config.layers == wanted.config.layers
    assert found.config.kept_heads == wanted.config.kept_heads
    assert torch.equal(logits(found, tiny_inputs), logits(wanted, tiny_inputs))


def uneven(bert: Any) -> Any:
    """Two heads of uneven context in layer 0, which reads part of the stream; head 1 alone in layer 1."""
    shape = bert_shape(bert)
    context, reads = np.ones((2, 8), dtype=bool), np.ones((2, 8), dtype=bool)
    context[0, :3], context[1, :4], reads[0, ::3] = False, False, False
    masks = Masks.full(shape).with_site(Site.ATTENTION_CONTEXT, context).with_site(Site.ATTENTION_INPUT, reads)
    return from_bert(bert, shrink(read_weights(bert), shape, masks))


@pytest.mark.parametrize("cut", [[(0, 0)], [(0, 1)], [(1, 1)], [(0, 0), (0, 1), (1, 1)]], ids=str)
def test_a_slim_network_is_cut_further(tiny_bert: Any, tiny_inputs: Inputs, cut: list[Head]) -> None:
    network = uneven(tiny_bert)
    gates = torch.ones(2, 2)
    for layer, head in cut:
        gates[layer, head] = 0
    smaller = without_heads(network, cut)
    wanted = logits(network, tiny_inputs, head_gates=gates)
    torch.testing.assert_close(logits(smaller, tiny_inputs), wanted, atol=1e-5, rtol=0)
    assert parameter_count(smaller).total < parameter_count(network).total


def test_heads_that_are_not_there_are_refused(tiny_bert: Any) -> None:
    network = uneven(tiny_bert)
    for wrong in ((1, 0), (2, 0), (0, 5), (-1, 0)):
        with pytest.raises(SelectionError, match=rf"layer {wrong[0]}, head {wrong[1]}: not in this network"):
            without_heads(network, [wrong])


def test_the_network_itself_stays_and_shares_its_weights(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    whole = dense_from_bert(tiny_bert)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    answer = logits(whole, tiny_inputs)
    smaller = without_heads(whole, [(0, 1)])
    logits(smaller, tiny_inputs)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert torch.equal(logits(whole, tiny_inputs), answer)
    assert torch.equal(logits(without_heads(whole, []), tiny_inputs), answer)  # all restored: the same bits
    words, own = whole.slimbert.embeddings.words.weight, smaller.slimbert.embeddings.words.weight
    assert own.data_ptr() == words.data_ptr()
    assert whole.config.kept_heads == [[0, 1], [0, 1]]


def test_cuts_at_the_same_time_know_nothing_of_each_other(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    whole = dense_from_bert(tiny_bert)
    wanted = [logits(without_heads(whole, cut), tiny_inputs) for cut in CUTS]

    def ask(number: int) -> bool:
        place = number % len(CUTS)
        return torch.equal(logits(without_heads(whole, CUTS[place]), tiny_inputs), wanted[place])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(60)))
