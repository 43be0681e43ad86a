"""Batches of own examples and others: their shares, their order, and how long they go on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pruning.data.mixture import MixedBatches
from pruning.errors import ConfigError

LENGTHS = np.random.default_rng(0).integers(5, 60, 500)
OWN = 120


def mixed(**changes: Any) -> MixedBatches:
    settings: dict[str, Any] = {"batches": 130, "own_share": 0.25, "last_share": 0.2} | changes
    return MixedBatches(LENGTHS, settings.pop("own", OWN), 16, settings.pop("seed", 0), **settings)


def test_each_batch_has_its_share_of_own_examples_and_the_last_ones_nothing_else() -> None:
    batches = list(mixed())
    assert [len(batch) for batch in batches] == [16] * 130 == [16] * len(mixed())
    own = [sum(row < OWN for row in batch) for batch in batches]
    assert own == [4] * 104 + [16] * 26


def test_all_examples_come_before_any_comes_again() -> None:
    others = [row for batch in mixed() for row in batch if row >= OWN]
    assert set(others[: len(LENGTHS) - OWN]) <= set(range(OWN, len(LENGTHS)))
    counts = np.bincount([row for batch in mixed() for row in batch], minlength=len(LENGTHS))
    assert np.ptp(counts[:OWN]) <= 1
    assert np.ptp(counts[OWN:]) <= 1


def test_like_lengths_come_together() -> None:
    spread = np.mean([np.ptp(LENGTHS[np.array(batch)]) for batch in list(mixed())[:100]])
    anyhow = np.mean([np.ptp(np.random.default_rng(n).choice(LENGTHS, 16)) for n in range(100)])
    assert spread < anyhow / 2


def test_the_order_is_a_function_of_the_seed() -> None:
    assert list(mixed()) == list(mixed())
    assert list(mixed()) != list(mixed(seed=1))
    sampler = mixed()
    sampler.set_epoch(3)
    assert list(sampler) == list(sampler) == list(mixed())


def test_without_others_all_batches_are_own() -> None:
    batches = list(mixed(own=len(LENGTHS), batches=40))
    assert [len(batch) for batch in batches] == [16] * 40
    assert set(range(len(LENGTHS))) == {row for batch in batches for row in batch}


@pytest.mark.parametrize("changes", [{"own": 0}, {"own": 501}, {"batches": 0}, {"seed": -1}])
def test_what_cannot_be_mixed_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"^mixed batches: "):
        mixed(**changes)
