"""Second-order pruning against the exact solution, and against magnitude."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pruning.compress.sparse import SPARSE_METHODS, obert
from pruning.compress.sparse.fisher import Fisher, InverseFisher
from pruning.compress.sparse.obert import Obert, corrected, saliency
from pruning.compress.sparse.ranking import kept
from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.sparsifier import make_sparse
from pruning.compress.sparse.target import nonzero, target_of
from pruning.data import collate
from pruning.errors import SelectionError
from pruning.importance.gradients import INPUTS
from pruning.measure.logits import encoded_logits
from pruning.slimbert import dense_from_bert
from tests.factories.small_training import make_encoded
from tests.factories.sparse_network import encoder, left, some_texts, total, weights

SIZE = 8


def quadratic(size: int = SIZE, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, InverseFisher]:
    """A loss ``(v - w)' F (v - w) / 2`` about trained weights w (as a matrix of two rows), and what is known of F."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(40, size, generator=generator) @ torch.randn(size, size, generator=generator)
    information = Fisher(size, 0.1, len(rows), block=size)
    information.add(rows)
    hessian = 0.1 * torch.eye(size) + rows.T @ rows / len(rows)
    return torch.randn(2, size // 2, generator=generator), hessian.double(), information.inverse()


def best_without(weight: torch.Tensor, hessian: torch.Tensor, gone: list[int]) -> tuple[torch.Tensor, float]:
    """The lowest point with these weights at zero, where the gradient by the others is zero; and the loss there."""
    flat = weight.flatten().double()
    stays = [place for place in range(len(flat)) if place not in gone]
    found = torch.zeros_like(flat)
    found[stays] = torch.linalg.solve(hessian[stays][:, stays], hessian[stays] @ flat)
    return found, float((found - flat) @ hessian @ (found - flat) / 2)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("together", [1, 4])
def test_costs_and_the_choice_are_the_exact_ones(seed: int, together: int) -> None:
    weight, hessian, inverse = quadratic(seed=seed)
    groups = [list(range(start, start + together)) for start in range(0, SIZE, together)]
    exact = [best_without(weight, hessian, group)[1] for group in groups]
    found = saliency(weight, inverse, together)
    assert np.allclose(found, exact, rtol=1e-3)
    assert int(found.argmin()) == int(np.argmin(exact))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gone", [[0], [3], [1, 2, 6], [4, 5, 6, 7], list(range(7)), list(range(8))])
def test_what_stays_moves_to_the_lowest_point(gone: list[int], seed: int) -> None:
    weight, hessian, inverse = quadratic(seed=seed)
    stays = torch.ones(SIZE, dtype=torch.bool)
    stays[gone] = False
    expected, _ = best_without(weight, hessian, gone)
    found = corrected(weight, inverse, stays.view(2, 4))
    assert torch.allclose(found.flatten().double(), expected, rtol=1e-3, atol=1e-3)
    assert not found.flatten()[gone].any()


def test_with_nothing_gone_nothing_moves() -> None:
    weight, _, inverse = quadratic()
    assert torch.equal(corrected(weight, inverse, torch.ones(2, 4, dtype=torch.bool)), weight)


def test_the_move_is_worth_it_and_the_costs_beat_magnitudes() -> None:
    """One weight of many: exact costs choose the pair whose loss, corrected, is near the best there is."""
    wins = []
    for seed in range(8):
        weight, hessian, inverse = quadratic(seed=seed)
        by_cost = (~kept({"w": saliency(weight, inverse)}, 0.75, [("w",)])["w"]).nonzero().flatten().tolist()
        by_size = (~kept({"w": weight.flatten().abs()}, 0.75, [("w",)])["w"]).nonzero().flatten().tolist()
        best = min(best_without(weight, hessian, list(pair))[1] for pair in combinations(range(SIZE), 2))
        loss = best_without(weight, hessian, by_cost)[1]
        assert loss >= best * (1 - 1e-6)
        wins.append(loss <= best_without(weight, hessian, by_size)[1] * (1 + 1e-6))
    assert np.mean(wins) > 0.7


def test_blocks_know_nothing_of_each_other_and_the_last_may_be_short() -> None:
    generator = torch.Generator().manual_seed(3)
    weight, rows = torch.randn(3, 6, generator=generator), torch.randn(50, 18, generator=generator)
    information = Fisher(18, 0.2, 50, block=8)
    information.add(rows)
    inverse = information.inverse()
    stays = torch.rand(3, 6, generator=generator) > 0.5
    found = corrected(weight, inverse, stays).flatten()
    for start in (0, 8, 16):
        places = slice(start, start + 8)
        own = rows[:, places].double()
        hessian = 0.2 * torch.eye(own.shape[1]) + own.T @ own / 50
        gone = (~stays.flatten()[places]).nonzero().flatten().tolist()
        expected, _ = best_without(weight.flatten()[places], hessian, gone)
        assert torch.allclose(found[places].double(), expected, atol=1e-4)
    assert saliency(weight, inverse).shape == (18,)


def trained(make_bert: Callable[..., Any], seed: int) -> Any:
    """A network that has learned something of its texts: whether the second piece has an odd number."""
    model = make_bert(seed, hidden_size=16, intermediate_size=32).requires_grad_(True)
    encoded = make_encoded(300, seed)
    batch = collate(encoded)(range(len(encoded)))
    inputs = {name: batch[name] for name in INPUTS}
    answers = torch.tensor([int(ids[1]) % 2 for ids in encoded.input_ids])
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(80):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(**inputs).logits, answers).backward()
        optimiser.step()
    return model.eval()


def divergence(network: Any, teacher: Any) -> float:
    """KL from the teacher's answers on texts that nothing was computed on."""
    encoded = make_encoded(100, 9)
    mine, theirs = (torch.from_numpy(encoded_logits(one, encoded)).log_softmax(-1) for one in (network, teacher))
    return float(nn.functional.kl_div(mine, theirs, log_target=True, reduction="batchmean"))


def test_at_90_percent_sparsity_without_training_it_is_ahead_of_magnitude(make_bert: Callable[..., Any]) -> None:
    found: dict[str, list[float]] = {"sparse-magnitude": [], "obert": [], "obert-fours": []}
    for seed in range(3):
        teacher = trained(make_bert, seed)
        for name, losses in found.items():
            method, network = SPARSE_METHODS[name], dense_from_bert(teacher)
            target = replace(target_of(network, encoder(0.5)), density=0.1)
            make_sparse(network, method.sparsifier(some_texts(64, seed)), target, Schedule(times=3))
            together = method.options.get("together", 1)
            groups = sum(module.weight.numel() for module in target.matrices.values()) // together
            assert sum(left(target).values()) == together * int(0.1 * groups)
            losses.append(divergence(network, teacher))
    assert all(np.array(found["obert"]) < np.array(found["sparse-magnitude"]))
    assert np.mean(found["obert"]) < 0.8 * np.mean(found["sparse-magnitude"])
    assert np.mean(found["obert-fours"]) < np.mean(found["sparse-magnitude"])  # which may choose each weight alone


def test_fours_stay_or_go_as_one(tiny_bert: Any) -> None:
    network = dense_from_bert(tiny_bert)
    target = target_of(network, total(0.5))
    Obert(some_texts(), 4).prune(network, target, 0.3)
    for module in target.matrices.values():
        fours = module.weight.reshape(-1, 4) != 0
        assert torch.equal(fours.any(-1), fours.all(-1))
        assert 0 < int(fours.any(-1).sum()) < len(fours)


def test_computed_in_parts_it_is_the_same(tiny_bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for held in (obert.HELD_BYTES, 1):
        monkeypatch.setattr(obert, "HELD_BYTES", held)
        network = dense_from_bert(tiny_bert)
        target = target_of(network, total(0.5))
        Obert(some_texts(8), 1).prune(network, target, 0.3)
        found.append(weights(target))
    assert len(obert._chunks(target.matrices)) == len(target.matrices)
    assert all(torch.equal(weight, found[1][name]) for name, weight in found[0].items())


def test_zeros_stay_from_one_time_to_the_next(tiny_bert: Any) -> None:
    network = dense_from_bert(tiny_bert)
    target = target_of(network, total(0.5))
    zeros = {name: torch.zeros_like(weight, dtype=torch.bool) for name, weight in weights(target).items()}
    for density in (0.7, 0.4, 0.2):
        Obert(some_texts(), 1).prune(network, target, density)
        for name, weight in weights(target).items():
            assert not weight[zeros[name]].any()
            zeros[name] = weight == 0
        assert nonzero(torch.cat([w.flatten() for w in weights(target).values()])) == pytest.approx(
            density * sum(w.numel() for w in weights(target).values()), abs=len(target.matrices)
        )


def test_odd_numbers_are_refused(make_bert: Callable[..., Any]) -> None:
    with pytest.raises(SelectionError, match="5 weights together: expected a number that 48 is a multiple of"):
        Obert(some_texts(), 5)
    network = dense_from_bert(make_bert(0, hidden_size=6, intermediate_size=10))
    with pytest.raises(SelectionError, match=r"projection: has 6 columns, expected a multiple of 4$"):
        Obert(some_texts(), 4).prune(network, target_of(network, encoder(0.5)), 0.5)
