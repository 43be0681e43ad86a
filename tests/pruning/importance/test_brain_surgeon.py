"""Optimal Brain Surgeon: costs against least squares done by hand, and units that others make up for cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.shapes import BertShape, Site
from pruning.data.batches import Encoded, encode
from pruning.data.examples import Examples
from pruning.importance import brain_surgeon
from pruning.importance.brain_surgeon import answer_score, importance, removal_costs

FOUND = {"fisher": {site: np.full((2, 2), 7.0, dtype=np.float32) for site in Site}}


@pytest.fixture
def encoded(tiny_tokenizer: Any, tiny_examples: Examples) -> Encoded:
    return encode(tiny_tokenizer, tiny_examples, 12)


def problem(units: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """G, C and W of correlated inputs and gradients."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(units, units, generator=generator, dtype=torch.float64)
    gradients = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    weight = torch.randn(5, units, generator=generator, dtype=torch.float64)
    return mixed @ mixed.T + 0.1 * torch.eye(units), gradients @ gradients.T, weight


def rise(inputs: torch.Tensor, gradients: torch.Tensor, weight: torch.Tensor, gone: list[int]) -> float:
    """Half of tr(C D G D') for the best change D that empties these columns."""
    kept = [unit for unit in range(len(inputs)) if unit not in gone]
    # What the units that stay can say of those that go, by regression.
    said = torch.linalg.solve(inputs[kept][:, kept], inputs[kept][:, gone])
    left = inputs[gone][:, gone] - inputs[gone][:, kept] @ said
    return float(torch.trace(gradients @ weight[:, gone] @ left @ weight[:, gone].T) / 2)


def test_costs_are_those_of_the_best_correction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain_surgeon, "RIDGE", 0.0)
    for seed in range(5):
        inputs, gradients, weight = problem(6, seed)
        costs = removal_costs(inputs, gradients, weight)
        alone = [rise(inputs, gradients, weight, [unit]) for unit in range(6)]
        order = costs.argsort().tolist()
        assert order[0] == int(np.argmin(alone))
        assert costs[order[0]] == pytest.approx(min(alone), rel=1e-6)
        pairs = [rise(inputs, gradients, weight, [order[0], unit]) for unit in order[1:]]
        assert order[1] == order[1 + int(np.argmin(pairs))]
        assert costs[order[1]] == pytest.approx(max(min(alone), min(pairs) - min(alone)), rel=1e-4)


def test_heads_go_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brain_surgeon, "RIDGE", 0.0)
    inputs, gradients, weight = problem(6, 9)
    heads = [torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5])]
    costs = removal_costs(inputs, gradients, weight, heads).reshape(2, 3)
    assert torch.allclose(costs, costs[:, :1].expand(2, 3))
    alone = [rise(inputs, gradients, weight, head.tolist()) for head in heads]
    assert float(costs.sum(1).min()) == pytest.approx(min(alone), rel=1e-6)


def test_removing_some_at_once_costs_little_more() -> None:
    one_by_one = [unit[None] for unit in torch.arange(200)]
    for seed in range(3):
        inputs, gradients, weight = problem(200, seed)
        generator = np.random.default_rng(seed)
        costs = []
        for order in (
            removal_costs(inputs, gradients, weight).argsort().tolist(),
            removal_costs(inputs, gradients, weight, one_by_one).argsort().tolist(),
            generator.permutation(200).tolist(),
        ):
            costs.append(rise(inputs, gradients, weight, order[:100]))
        assert costs[0] < 1.25 * costs[1]
        assert costs[0] < 0.5 * costs[2]


def test_random_signs_give_the_fisher_information() -> None:
    logits = torch.tensor([1.0, -0.5, 0.2]).repeat(40_000, 1).requires_grad_()
    answer_score(logits, False, torch.Generator().manual_seed(0)).sum().backward()
    share = logits[0].detach().softmax(0)
    found = logits.grad.T @ logits.grad / len(logits)
    assert torch.allclose(found, torch.diag(share) - share[:, None] * share, atol=0.01)


def test_units_that_others_make_up_for_cost_nothing(tiny_bert: Any, tiny_shape: BertShape, encoded: Encoded) -> None:
    layer = tiny_bert.bert.encoder.layer[0]
    with torch.no_grad():
        layer.intermediate.dense.weight[3] = layer.intermediate.dense.weight[4]  # the same unit twice
        layer.intermediate.dense.bias[3] = layer.intermediate.dense.bias[4]
        layer.output.dense.weight[:, 7] = 0  # one that nobody hears
        layer.attention.output.dense.weight[:, :4] = 0  # and a head
    before = {name: value.clone() for name, value in tiny_bert.state_dict().items()}
    found = importance(tiny_bert, encoded, FOUND, is_regression=False, seed=0)
    costs = found[Site.FFN_HIDDEN][0]
    assert costs.argmin() == 7
    assert costs[7] < 1e-6 * np.median(costs)
    assert min(costs[3], costs[4]) < 0.05 * np.median(costs) < max(costs[3], costs[4])
    heads = found[Site.ATTENTION_CONTEXT].reshape(tiny_shape.layers, tiny_shape.heads, -1).sum(-1)
    assert heads[0, 0] < 1e-6 * heads[0, 1]
    assert found[Site.HIDDEN] is FOUND["fisher"][Site.HIDDEN]
    assert all(torch.equal(value, before[name]) for name, value in tiny_bert.state_dict().items())
    again = importance(tiny_bert, encoded, FOUND, is_regression=False, seed=0)
    assert all(np.array_equal(again[site], found[site]) for site in Site)
