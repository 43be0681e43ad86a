"""Movement: scores follow the gradients, the highest stay, and the network ends up plain."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pruning.compress.sparse.movement import Movement, score_parameters
from pruning.compress.sparse.target import nonzero, target_of
from pruning.slimbert import dense_from_bert
from tests.factories.sparse_network import encoder, left, total, weights


def test_scores_and_weights_get_the_papers_gradients(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    network = dense_from_bert(tiny_bert)
    target = target_of(network, encoder(0.5))
    sparsifier = Movement("uniform")
    sparsifier.attach(target)
    names = list(target.encoder)
    with torch.no_grad():
        for scores in score_parameters(network):
            scores.copy_(torch.randn(scores.shape, generator=torch.Generator().manual_seed(1)))
    sparsifier.prune(network, target, 0.5)
    used = {name: module.weight.detach().clone() for name, module in target.encoder.items()}
    plain = dense_from_bert(tiny_bert)
    own = target_of(plain, encoder(0.5)).encoder
    with torch.no_grad():
        for name in names:
            own[name].weight.copy_(used[name])
    torch.testing.assert_close(network(**tiny_inputs).logits, plain(**tiny_inputs).logits)
    for one in (network, plain):
        one(**tiny_inputs).logits.square().sum().backward()
    for name in names:
        module: Any = target.encoder[name]
        dense, gradient = module.parametrizations.weight.original, own[name].weight.grad
        scores = module.parametrizations.weight[0].scores
        assert gradient is not None
        torch.testing.assert_close(scores.grad, gradient * dense.detach())
        torch.testing.assert_close(dense.grad, gradient * (used[name] != 0))
        assert nonzero(used[name]) == round(0.5 * dense.numel())


@pytest.mark.parametrize("ranking", ["uniform", "global"])
def test_afterwards_it_is_a_plain_network_of_the_highest_scores(tiny_bert: Any, ranking: Any) -> None:
    network = dense_from_bert(tiny_bert)
    names, before = set(network.state_dict()), weights(target_of(network, total(0.5)))
    target = target_of(network, total(0.4))
    sparsifier = Movement(ranking)
    sparsifier.attach(target)
    assert len(score_parameters(network)) == len(target.matrices)
    with torch.no_grad():
        for number, scores in enumerate(score_parameters(network)):
            scores.copy_(torch.randn(scores.shape, generator=torch.Generator().manual_seed(number)))
    learned = {name: one.scores.detach().clone() for name, one in sparsifier._scores.items()}
    sparsifier.prune(network, target, 0.9)
    sparsifier.detach(network, target)
    assert set(network.state_dict()) == names
    assert score_parameters(network) == []
    kept = sum(left(target).values())
    assert abs(kept - target.density * sum(weight.numel() for weight in before.values())) <= len(before)
    for name, weight in weights(target).items():
        scores = learned[name]
        assert torch.equal(weight, torch.where(weight != 0, before[name], 0.0))
        assert scores[weight != 0].min() > scores[weight == 0].max()  # the highest of each, whatever they compete with
    assert all(isinstance(module.weight, torch.nn.Parameter) for module in target.matrices.values())
