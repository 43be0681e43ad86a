"""Optimal Brain Surgeon: costs against least squares done by hand, and units that others make up for cost nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.model import bert_shape
from pruning.bert.shapes import BertShape, Site
from pruning.data.batches import Encoded, encode
from pruning.data.examples import Examples
from pruning.importance import brain_surgeon, gradients
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


def plainly(
    inputs: torch.Tensor, gradients: torch.Tensor, weight: torch.Tensor, together: list[torch.Tensor]
) -> torch.Tensor:
    """Costs with the whole inverse corrected after every removal."""
    units = len(inputs)
    ridge = brain_surgeon.RIDGE * inputs.diagonal().mean() + 1e-12
    inverse = torch.linalg.inv(inputs + ridge * torch.eye(units, dtype=torch.float64))
    values, vectors = torch.linalg.eigh(gradients)
    weight = (vectors * values.clamp_min(0).sqrt()).T @ weight
    costs, level, left = inputs.new_zeros(units), 0.0, list(together)
    is_alone = len(left) == units
    while left:
        blocks = [(weight[:, group], torch.linalg.inv(inverse[group][:, group])) for group in left]
        asked = torch.stack([((columns @ block) * columns).sum() / 2 for columns, block in blocks])
        cheapest = asked.argsort()[: max(1, min(brain_surgeon.AT_ONCE, len(left) // 8)) if is_alone else 1].tolist()
        for place in cheapest:
            level = max(level * (1 + brain_surgeon.APART), float(asked[place]))
            costs[left[place]] = level / len(left[place])
        gone = torch.cat([left[place] for place in cheapest])
        taken = inverse[:, gone] @ torch.linalg.inv(inverse[gone][:, gone])
        weight = weight - weight[:, gone] @ taken.T
        inverse = inverse - taken @ inverse[gone]
        left = [group for place, group in enumerate(left) if place not in cheapest]
    return costs


@pytest.mark.parametrize("put_off", [1, 20, 10_000])
@pytest.mark.parametrize("size", [1, 6])
def test_corrections_put_off_change_nothing(monkeypatch: pytest.MonkeyPatch, size: int, put_off: int) -> None:
    monkeypatch.setattr(brain_surgeon, "PUT_OFF", put_off)
    inputs, felt, weight = problem(72, 3)
    groups = list(torch.arange(72).reshape(-1, size))
    before = weight.clone()
    found = removal_costs(inputs, felt, weight, None if size == 1 else groups)
    expected = plainly(inputs, felt, weight, groups)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    assert torch.equal(found.argsort(), expected.argsort())
    assert torch.equal(weight, before)


@pytest.mark.parametrize("chunk", [3, 100])
def test_sums_from_the_diagonal_on_are_those_of_all_rows(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(brain_surgeon, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(0)
    inputs, gradients = torch.randn(40, 8, generator=generator), torch.randn(40, 5, generator=generator)
    sums = brain_surgeon._Matrix.of(torch.nn.Linear(8, 5))
    for part in (slice(0, 25), slice(25, None)):
        sums.add(inputs[part], gradients[part])
    shares = gradients.double().square().sum(1)
    mixed = (1 - brain_surgeon.UNIFORM) * shares / shares.sum() + brain_surgeon.UNIFORM / 40
    centred = inputs.double() - mixed @ inputs.double()
    torch.testing.assert_close(sums.inputs(), (centred * mixed[:, None]).T @ centred, atol=1e-6, rtol=1e-5)


def test_small_batches_find_the_same(tiny_bert: Any, encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a backward pass may hold decides how many texts go at once, never what is found."""
    whole = importance(tiny_bert, encoded, FOUND, is_regression=False, seed=0)
    sizes = [len(rows) for rows in gradients.batches(np.arange(len(encoded)), encoded, bert_shape(tiny_bert))]
    assert sizes == [len(encoded)]
    monkeypatch.setattr(gradients, "HELD", 20_000)
    order = np.argsort(encoded.lengths, kind="stable")
    parts = list(gradients.batches(order, encoded, bert_shape(tiny_bert)))
    assert len(parts) > 3
    assert len(parts[0]) > len(parts[-1])
    assert np.concatenate(parts).tolist() == order.tolist()
    found = importance(tiny_bert, encoded, FOUND, is_regression=False, seed=0)
    for site in (Site.ATTENTION_CONTEXT, Site.FFN_HIDDEN):
        np.testing.assert_allclose(found[site], whole[site], rtol=1e-3, atol=1e-9)
    monkeypatch.setattr(gradients, "HELD", 1)
    assert [len(rows) for rows in gradients.batches(order, encoded, bert_shape(tiny_bert))] == [1] * len(encoded)
