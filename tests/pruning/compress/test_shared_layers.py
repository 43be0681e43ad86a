"""One layer for all: counted once, computed as often as the teacher has layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.counts import count_parameters
from pruning.bert.model import bert_shape
from pruning.compress.shared_layers import shared
from pruning.errors import SelectionError
from pruning.measure.cost import parameters_by_numel
from pruning.slimbert import dense_from_bert, parameter_count


def test_it_computes_as_a_bert_whose_layers_are_alike(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    alike = copy.deepcopy(tiny_bert)
    alike.bert.encoder.layer[0] = alike.bert.encoder.layer[1]
    found = shared(tiny_bert, start=1)
    with torch.no_grad():
        torch.testing.assert_close(found(**tiny_inputs).logits, alike(**tiny_inputs).logits, atol=1e-5, rtol=0)
    assert not torch.allclose(found(**tiny_inputs).logits, tiny_bert(**tiny_inputs).logits, atol=1e-2)


def test_it_begins_as_the_mean_and_is_counted_once(make_bert: Callable[..., Any]) -> None:
    teacher = make_bert(0, num_hidden_layers=3)
    found, dense = shared(teacher), dense_from_bert(teacher)
    assert len(found.slimbert.layers) == 3
    for name, parameter in found.slimbert.layers[2].named_parameters():
        layers = [dict(layer.named_parameters())[name] for layer in dense.slimbert.layers]
        torch.testing.assert_close(parameter, torch.stack(layers).mean(0))
    counted, whole = parameter_count(found), parameter_count(dense)
    assert counted.encoder * 3 == whole.encoder
    assert (counted.embeddings, counted.pooler, counted.head) == (whole.embeddings, whole.pooler, whole.head)
    assert counted.total == sum(p.numel() for p in found.parameters()) == parameters_by_numel(found)


def test_training_moves_all_layers_at_once(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    found = shared(tiny_bert)
    optimiser = torch.optim.SGD(found.parameters(), lr=0.1)
    found(**tiny_inputs).logits.sum().backward()
    optimiser.step()
    first, second = found.slimbert.layers
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    copied = copy.deepcopy(found)
    assert copied.slimbert.layers[0] is copied.slimbert.layers[1]


@pytest.mark.parametrize("density", [0.9, 0.6, 0.5])
def test_the_table_is_factored_as_far_as_the_budget_takes(tiny_bert: Any, density: float) -> None:
    shape = bert_shape(tiny_bert)
    whole = count_parameters(shape.network()).total
    found = shared(tiny_bert, density=density, positions=16, frequencies=np.arange(shape.vocabulary) + 1.0)
    own = parameter_count(found).total
    assert own <= density * whole
    if found.config.rank is not None:
        assert own + shape.vocabulary + shape.hidden > density * whole
    else:
        assert own == parameter_count(shared(tiny_bert, positions=16)).total
    assert found.config.max_position_embeddings == 16


def test_what_cannot_be_is_refused(tiny_bert: Any) -> None:
    with pytest.raises(SelectionError, match=r"^total density 5\.00%: one shared layer takes \d\d\.\d\d% at least$"):
        shared(tiny_bert, density=0.05)
    with pytest.raises(SelectionError, match=r"^layer 2: expected 0 to 1"):
        shared(tiny_bert, start=2)
