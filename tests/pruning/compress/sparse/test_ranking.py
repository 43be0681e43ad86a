"""As many as asked for stay, equal ones included."""

from __future__ import annotations

import pytest
import torch

from pruning.compress.sparse.ranking import kept, largest


@pytest.mark.parametrize("count", [0, 1, 4, 9, 10])
def test_the_largest_by_sorting(count: int) -> None:
    values = torch.randn(10, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(10, dtype=torch.bool)
    expected[values.argsort(descending=True)[:count]] = True
    assert torch.equal(largest(values, count), expected)


def test_of_equal_ones_the_first() -> None:
    values = torch.tensor([0.0, 2.0, 0.0, 1.0, 0.0])
    assert largest(values, 3).tolist() == [True, True, False, True, False]
    assert largest(torch.zeros(5), 2).tolist() == [True, True, False, False, False]


def test_groups_compete_inside_and_not_with_each_other() -> None:
    scores = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.full((2, 2), 9.0), "c": torch.arange(4.0)}
    together = kept(scores, 0.5, [("a", "b"), ("c",)])
    assert not together["a"].any()
    assert together["b"].all()
    assert together["c"].tolist() == [False, False, True, True]
    alone = kept(scores, 0.5, [("a",), ("b",), ("c",)])
    assert alone["a"].tolist() == [[False, False], [True, True]]
    assert [int(mask.sum()) for mask in alone.values()] == [2, 2, 2]
