"""Which weights may go, and how many: the network's non-zero parameters are the budget's share."""

from __future__ import annotations

from typing import Any

import pytest

from pruning.bert.counts import count_parameters
from pruning.bert.model import bert_shape
from pruning.compress.sparse import SPARSE_METHODS, sparse_method
from pruning.compress.sparse.magnitude import Magnitude
from pruning.compress.sparse.target import Ranking, nonzero, target_of
from pruning.errors import ConfigError, SelectionError
from pruning.selection.budget import Budget
from pruning.slimbert import dense_from_bert, parameter_count
from tests.factories.sparse_network import encoder, left, total


@pytest.mark.parametrize("value", [0.5, 0.35])
@pytest.mark.parametrize("ranking", ["global", "uniform"])
def test_a_total_budget_is_met_with_tables_and_pooler(tiny_bert: Any, value: float, ranking: Ranking) -> None:
    network = dense_from_bert(tiny_bert)
    target = target_of(network, total(value))
    before = parameter_count(network)
    Magnitude(ranking).prune(network, target, target.density)
    found, whole = parameter_count(network, nonzero), count_parameters(bert_shape(tiny_bert).network())
    assert abs(found.total - value * whole.total) <= len(target.matrices)  # each group rounds once
    assert found.embeddings < 0.6 * before.embeddings
    assert parameter_count(network) == before
    shares = [count / target.matrices[name].weight.numel() for name, count in left(target).items()]
    assert (max(shares) - min(shares) < 0.02) == (ranking == "uniform")


def test_an_encoder_budget_leaves_everything_else(tiny_bert: Any) -> None:
    network = dense_from_bert(tiny_bert)
    before = parameter_count(network, nonzero)
    target = target_of(network, encoder(0.4))
    assert target.others == {}
    Magnitude("global").prune(network, target, target.density)
    found = parameter_count(network, nonzero)
    assert abs(found.encoder - 0.4 * before.encoder) <= 1
    assert (found.embeddings, found.pooler, found.head) == (before.embeddings, before.pooler, before.head)
    assert len(target.encoder) == 2 * 4


def test_tables_compete_with_themselves(tiny_bert: Any) -> None:
    target = target_of(dense_from_bert(tiny_bert), total(0.5))
    encoders, *others = target.groups("global")
    assert set(encoders) == set(target.encoder)
    assert others == [(name,) for name in target.others]
    assert sum(target.groups("uniform"), ()) == tuple(target.matrices)


def test_budgets_that_cannot_be_met_are_refused(tiny_bert: Any) -> None:
    network = dense_from_bert(tiny_bert)
    with pytest.raises(SelectionError, match=r"^budget 5: what is never pruned is more, expected at least 1\d\.\d\d%$"):
        target_of(network, total(0.05))
    with pytest.raises(SelectionError, match="a sparse network has total_density or encoder_density"):
        target_of(network, Budget("flop_ratio", 0.5))


def test_methods_are_found_by_name() -> None:
    assert sparse_method("obert") is SPARSE_METHODS["obert"]
    with pytest.raises(ConfigError, match="sparse method 'pruned': expected one of sparse-magnitude, "):
        sparse_method("pruned")
