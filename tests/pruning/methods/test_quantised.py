"""Int8 as a method: what it computes with, what it stores, and that pruning is left as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.counts import count_parameters
from pruning.compress.quantise import int8_weights
from pruning.errors import ConfigError
from pruning.measure.cost import saved_tensors
from pruning.measure.logits import predict_logits
from pruning.measure.storage import SCALE_BYTES, stored
from pruning.methods.made import Made
from pruning.methods.registry import METHODS
from pruning.methods.shared import Shared
from pruning.selection.budget import Budget
from pruning.slimbert import encoder_linears
from tests.pruning.methods.conftest import FIFTH

WHOLE = Budget("total_density", 1.0)


@pytest.fixture(scope="module")
def pruned(shared: Shared) -> Made:
    return METHODS["slim-quantised"].load()(shared, FIFTH, None)


@pytest.fixture(scope="module")
def whole(shared: Shared) -> Made:
    return METHODS["quantised"].load()(shared, WHOLE, None)


def test_the_default_in_int8_is_the_default_and_answers_nearly_alike(shared: Shared, pruned: Made) -> None:
    default = METHODS["slim"].load()(shared, FIFTH, None)
    assert all(torch.equal(tensor, saved_tensors(pruned.model)[name]) for name, tensor in saved(default).items())
    assert pruned.steps == default.steps
    examples = shared.context.data.validation["validation"]
    exact = predict_logits(default.network(shared), examples)
    rounded = predict_logits(pruned.network(shared), examples)
    assert not np.array_equal(exact, rounded)
    assert np.abs(exact - rounded).max() < 0.1 * np.abs(exact).max()


def test_nothing_is_cut_of_the_teacher_and_nothing_trained(shared: Shared, whole: Made) -> None:
    assert stored(whole.model, int8=whole.int8).parameters == count_parameters(shared.factors.shape.network()).total
    assert whole.steps == 0
    with pytest.raises(ConfigError, match=r"quantised at 0.2: int8 removes no parameter, expected a budget of 1"):
        METHODS["quantised"].load()(shared, FIFTH, None)


def test_of_a_sparse_network_a_byte_is_stored_for_what_is_not_zero(shared: Shared) -> None:
    alone, small = (METHODS[name].load()(shared, FIFTH, None) for name in ("obert", "obert-quantised"))
    assert all(torch.equal(tensor, saved(small)[name]) for name, tensor in saved(alone).items())
    before, after = stored(alone.model), stored(small.model, int8=small.int8)
    assert after.nonzero == before.nonzero < before.parameters
    assert after.bytes < before.bytes
    assert small.kernels == {}
    for name, linear in encoder_linears(alone.model).items():
        packed = small.runs.get_submodule(name).weight().dequantize()
        assert 0 < (packed != 0).sum() <= (linear.weight != 0).sum() < packed.numel()
        assert not packed[linear.weight == 0].any()


@pytest.mark.parametrize("name", ["pruned", "whole"])
def test_a_linear_layer_stores_a_byte_a_weight(name: str, request: pytest.FixtureRequest) -> None:
    found: Made = request.getfixturevalue(name)
    linear = [part for part in found.model.modules() if isinstance(part, torch.nn.Linear)]
    weights = sum(part.weight.numel() for part in linear)
    assert len(int8_weights(found.model)) == len(linear) > 8
    without = stored(found.model)
    assert stored(found.model, int8=found.int8).bytes == without.bytes - weights + SCALE_BYTES * len(linear)
    ran = [
        part for part in found.runs.modules() if part.__class__.__name__ == "Linear" and hasattr(part, "_packed_params")
    ]
    assert len(ran) == len(linear)
    assert not any(isinstance(part, torch.nn.Linear) for part in found.runs.modules())


def saved(made: Made) -> dict[str, Any]:
    return saved_tensors(made.model)
