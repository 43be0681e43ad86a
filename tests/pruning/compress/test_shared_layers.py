"""One layer for all: counted once, computed as often as the teacher has layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch

from pruning.compress.shared_layers import tied
from pruning.measure.cost import parameters_by_numel
from pruning.measure.storage import stored
from pruning.slimbert import dense_from_bert, parameter_count


def test_it_computes_as_a_bert_whose_layers_are_alike(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    alike = copy.deepcopy(tiny_bert)
    layers = alike.bert.encoder.layer
    mean = {name: (value + layers[1].state_dict()[name]) / 2 for name, value in layers[0].state_dict().items()}
    for layer in layers:
        layer.load_state_dict(mean)
    found = tied(dense_from_bert(tiny_bert))
    with torch.no_grad():
        torch.testing.assert_close(found(**tiny_inputs).logits, alike(**tiny_inputs).logits, atol=1e-5, rtol=0)
    assert not torch.allclose(found(**tiny_inputs).logits, tiny_bert(**tiny_inputs).logits, atol=1e-2)


def test_it_begins_as_the_mean_and_is_counted_once(make_bert: Callable[..., Any]) -> None:
    dense = dense_from_bert(make_bert(0, num_hidden_layers=3))
    before = {name: value.clone() for name, value in dense.state_dict().items()}
    found = tied(dense)
    assert all(torch.equal(value, before[name]) for name, value in dense.state_dict().items())
    assert len(found.slimbert.layers) == 3
    for name, parameter in found.slimbert.layers[2].named_parameters():
        layers = [dict(layer.named_parameters())[name] for layer in dense.slimbert.layers]
        torch.testing.assert_close(parameter, torch.stack(layers).mean(0))
    counted, whole = parameter_count(found), parameter_count(dense)
    assert counted.encoder * 3 == whole.encoder
    assert (counted.embeddings, counted.pooler, counted.head) == (whole.embeddings, whole.pooler, whole.head)
    assert counted.total == sum(p.numel() for p in found.parameters()) == parameters_by_numel(found)
    assert stored(found).bytes == 2 * counted.total


def test_training_moves_all_layers_at_once(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    found = tied(dense_from_bert(tiny_bert))
    optimiser = torch.optim.SGD(found.parameters(), lr=0.1)
    found(**tiny_inputs).logits.sum().backward()
    optimiser.step()
    first, second = found.slimbert.layers
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    copied = copy.deepcopy(found)
    assert copied.slimbert.layers[0] is copied.slimbert.layers[1]
