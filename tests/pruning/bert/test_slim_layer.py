"""The slim layer: formulas by hand, gradients, gates, and what collects them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pruning.bert.penalties import PENALTIES
from pruning.bert.shapes import Site
from pruning.bert.slim_layer import (
    SENSITIVITY_KEPT,
    SlimLayer,
    record_sensitivity,
    slim_layers,
    slim_parameters,
    surviving_share,
    total_penalty,
)
from pruning.errors import ConfigError

VALUES = [1.0, -0.5, 0.01, 0.0]


def layer_with(values: list[float], penalty: str) -> SlimLayer:
    layer = SlimLayer(len(values), Site.FFN_HIDDEN, penalty)
    with torch.no_grad():
        layer.alpha.copy_(torch.tensor(values))
    return layer


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.mark.parametrize(
    ("penalty", "one"),
    [
        ("log", lambda value: 0.5 * math.log(1 + 8000 * value**2)),
        ("l1", abs),
        # The chance that a hard-concrete gate is not zero: sigmoid(log-odds - temperature * log(-low / high)).
        ("l0", lambda value: sigmoid(value - 2 / 3 * math.log(0.1 / 1.1))),
    ],
)
def test_penalties_and_their_gradients_by_hand(penalty: str, one: Callable[[float], float]) -> None:
    layer, step = layer_with(VALUES, penalty), 1e-6
    found = layer.penalty()
    assert found.item() == pytest.approx(sum(map(one, VALUES)), rel=1e-6)
    found.backward()
    slopes = [(one(value + step) - one(value - step)) / (2 * step) for value in VALUES]
    assert layer.alpha.grad is not None
    assert layer.alpha.grad.tolist() == pytest.approx(slopes, rel=1e-4)


def test_l0_penalty_is_the_share_of_open_gates() -> None:
    torch.manual_seed(0)
    layer = layer_with([-1.0] * 20_000, "l0").train()
    with torch.no_grad():
        assert (layer.gate() > 0).sum().item() == pytest.approx(layer.penalty().item(), rel=0.03)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_gate_starts_at_exactly_one(penalty: str) -> None:
    layer = SlimLayer(5, Site.HIDDEN, penalty).eval()
    activations = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(activations), activations)
    assert torch.equal(layer.factors(), torch.ones(5))


def test_forward_multiplies_unit_by_unit_and_a_mask_silences() -> None:
    layer = layer_with([2.0, -3.0, 0.0], "log")
    activations = torch.tensor([[[1.0, 1.0, 1.0], [5.0, 1.0, 7.0]]])
    assert layer(activations).tolist() == [[[2.0, -3.0, 0.0], [10.0, -3.0, 0.0]]]
    layer.mask = torch.tensor([0.0, 1.0, 1.0])
    assert layer(activations).tolist() == [[[0.0, -3.0, 0.0], [0.0, -3.0, 0.0]]]
    assert "mask" not in layer.state_dict()


def test_hard_concrete_gates_are_sampled_and_learned_while_training_only() -> None:
    torch.manual_seed(0)
    layer = layer_with([0.0] * 200, "l0").train()
    first, second = layer.gate(), layer.gate()
    assert not torch.equal(first, second)
    assert first.min() == 0
    assert first.max() == 1
    assert ((first > 0) & (first < 1)).any()
    first.sum().backward()
    assert layer.alpha.grad is not None
    assert (layer.alpha.grad >= 0).all()
    assert (layer.alpha.grad > 0).any()
    for value, gate in ((-4.0, 0.0), (0.0, 0.5), (4.0, 1.0)):  # sigmoid(value), stretched to (-0.1, 1.1)
        assert layer_with([value], "l0").eval().gate().item() == pytest.approx(gate)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("training", [True, False])
def test_factors_leave_the_mode_as_it_was(penalty: str, training: bool) -> None:
    layer = SlimLayer(3, Site.HIDDEN, penalty).train(training)
    factors = layer.factors()
    assert layer.training is training
    assert not factors.requires_grad
    factors.zero_()
    assert (layer.alpha != 0).all()  # a copy, not a view
    assert torch.equal(layer.factors(), layer.factors())  # not sampled, even while training


@pytest.mark.parametrize("penalty", ["log", "l1"])
def test_sensitivity_is_of_the_loss_without_the_penalty_and_averaged(penalty: str) -> None:
    layer = layer_with(VALUES, penalty)
    expected = torch.zeros(4)
    for slope in (torch.tensor([3.0, -2.0, 1.0, 5.0]), torch.tensor([1.0, 0.0, 7.0, 5.0])):
        layer.alpha.grad = None
        ((slope * layer.gate()).sum() + 0.1 * layer.penalty()).backward()
        whole = layer.alpha.grad.clone()
        record_sensitivity(layer, 0.1)
        assert torch.equal(layer.alpha.grad, whole)  # the step that follows is the same
        expected = SENSITIVITY_KEPT * expected + (1 - SENSITIVITY_KEPT) * (slope * torch.tensor(VALUES)).abs()
    torch.testing.assert_close(layer.sensitivity, expected, rtol=1e-4, atol=1e-8)


def test_sensitivity_under_l0_is_of_gates_as_they_will_be() -> None:
    layer = layer_with([-4.0, 0.0, 4.0], "l0")
    layer.alpha.grad = torch.tensor([2.0, -2.0, 2.0])
    record_sensitivity(layer, 0.0)
    torch.testing.assert_close(layer.sensitivity / (1 - SENSITIVITY_KEPT), torch.tensor([0.0, 1.0, 2.0]))


def test_refusals_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"^penalty 'l2': expected one of log, l1, l0$"):
        SlimLayer(3, Site.HIDDEN, "l2")
    with pytest.raises(ConfigError, match=r"^slimming: the network has no slim layers; attach them first$"):
        total_penalty(nn.Linear(2, 2))


def test_layers_are_collected_by_type() -> None:
    first, second = layer_with([1.0, 0.5], "l1"), layer_with([0.01], "l1")
    # Names that a search for "alpha" or "slim" would get wrong.
    model = nn.ModuleDict({"alphabet": nn.Linear(2, 2), "block": nn.Sequential(first, nn.ReLU()), "last": second})
    assert slim_layers(model) == [first, second]
    assert [id(parameter) for parameter in slim_parameters(model)] == [id(first.alpha), id(second.alpha)]
    assert total_penalty(model).item() == pytest.approx(1.51, rel=1e-6)
    assert surviving_share(model) == pytest.approx(2 / 3)
    assert surviving_share(model, threshold=0.6) == pytest.approx(1 / 3)


def test_it_says_what_it_is() -> None:
    assert repr(SlimLayer(7, Site.FFN_INPUT, "l1")) == "SlimLayer(ffn_input, units=7, penalty=l1)"
