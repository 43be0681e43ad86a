"""What there is to choose from."""

from __future__ import annotations

import pytest

from slimviz.widgets.runtime import thread_counts


@pytest.mark.parametrize(
    ("most", "expected"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (16, [1, 2, 4, 8, 16])],
)
def test_threads_are_powers_of_two_and_all(most: int, expected: list[int]) -> None:
    assert thread_counts(most) == expected
