"""Two thin matrices for one: the best of their rank on what the matrix really reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pruning.compress.decompose import decomposed, input_moments, thin
from pruning.errors import SelectionError
from pruning.measure.cost import parameters_by_numel
from pruning.measure.logits import encoded_logits
from pruning.slimbert import dense_from_bert, encoder_linears, parameter_count
from tests.factories.small_training import make_encoded


def read(count: int = 4000, width: int = 6) -> torch.Tensor:
    """Inputs of very unequal spread, with a mean."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([5.0, 2.0, 1.0, 0.3, 0.1, 0.05])
    mixing = torch.randn(width, width, generator=generator)
    return torch.randn(count, width, generator=generator) * spread @ mixing + torch.arange(6.0)


def moments(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    rows = rows.double()
    return rows.mean(0), torch.cov(rows.T, correction=0)


@torch.no_grad()
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_it_is_the_best_of_its_rank_and_better_than_a_plain_decomposition(rank: int) -> None:
    torch.manual_seed(0)
    linear, rows = nn.Linear(6, 5), read()
    mean, covariance = moments(rows)
    found = thin(linear, rank, mean, covariance)
    error = float((found(rows) - linear(rows)).square().sum(-1).mean())
    root = torch.linalg.cholesky(covariance)
    dropped = torch.linalg.svdvals(linear.weight.double() @ root)[rank:].square().sum()
    assert error == pytest.approx(float(dropped), rel=1e-2, abs=1e-4)  # Eckart and Young
    left, values, right = torch.linalg.svd(linear.weight, full_matrices=False)
    plain = (left[:, :rank] * values[:rank]) @ right[:rank]
    difference = (rows - mean.float()) @ (plain - linear.weight).T
    assert error < 0.9 * float(difference.square().sum(-1).mean())


@torch.no_grad()
def test_parts_count_relative_to_what_they_put_out() -> None:
    """Two rows of large outputs and two of small: with parts, a rank of two is not spent on the large alone."""
    torch.manual_seed(0)
    linear, rows = nn.Linear(6, 4), read()
    linear.weight[:2] *= 100
    together, apart = (thin(linear, 2, *moments(rows), parts=parts) for parts in (None, (2, 2)))

    def missed(found: nn.Module) -> np.ndarray:
        wanted = linear(rows)
        return ((found(rows) - wanted).square().mean(0) / wanted.var(0)).reshape(2, 2).mean(1).numpy()

    assert missed(apart).max() < missed(together).max()
    whole = thin(linear, 4, *moments(rows), parts=(2, 2))
    torch.testing.assert_close(whole(rows), linear(rows), atol=1e-2, rtol=1e-4)


@torch.no_grad()
def test_moments_are_of_real_tokens_only(tiny_bert: Any) -> None:
    network, encoded = dense_from_bert(tiny_bert), make_encoded(10)
    seen: list[torch.Tensor] = []
    name = "slimbert.layers.1.ffn.outer"
    handle = network.get_submodule(name).register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    for ids in encoded.input_ids:
        network(input_ids=torch.from_numpy(ids.astype(np.int64))[None])
    handle.remove()
    mean, covariance = moments(torch.cat(seen))
    found = input_moments(network, encoded)
    assert set(found) == set(encoder_linears(network))
    torch.testing.assert_close(found[name][0], mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found[name][1], covariance, atol=1e-5, rtol=1e-3)
    network(input_ids=torch.ones(1, 3, dtype=torch.long))
    assert len(seen) == len(encoded)  # all hooks are gone


@torch.no_grad()
@pytest.mark.parametrize("density", [0.8, 0.7, 0.6])
def test_counts_are_numel_and_answers_those_of_the_products(tiny_bert: Any, density: float) -> None:
    network, encoded = dense_from_bert(tiny_bert), make_encoded(40)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = decomposed(network, encoded, density=density)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    whole, own = parameter_count(network), parameter_count(found)
    assert own.total == sum(p.numel() for p in found.parameters()) == parameters_by_numel(found)
    assert 0.75 * density * whole.encoder < own.encoder <= density * whole.encoder
    assert own.embeddings == whole.embeddings
    for name, linear in encoder_linears(network).items():
        first, second = found.get_submodule(name)
        linear.weight.copy_(second.weight @ first.weight)
        linear.bias.copy_(second.bias)
    other = make_encoded(20, 3)
    assert np.allclose(encoded_logits(found, other), encoded_logits(network, other), atol=1e-4)


@torch.no_grad()
def test_more_parameters_answer_more_like_the_teacher(make_bert: Any) -> None:
    teacher, encoded, other = dense_from_bert(make_bert(1)), make_encoded(60), make_encoded(40, 5)
    wanted = encoded_logits(teacher, other)
    missed = [
        float(np.square(encoded_logits(decomposed(teacher, encoded, density=density), other) - wanted).mean())
        for density in (1.0, 0.8, 0.6)
    ]
    assert missed[0] < missed[1] < missed[2]


def test_budgets_below_a_rank_of_one_are_refused(tiny_bert: Any) -> None:
    with pytest.raises(SelectionError, match=r"^encoder density 20\.00%: leaves some matrix without a rank"):
        decomposed(dense_from_bert(tiny_bert), make_encoded(10), density=0.2)
