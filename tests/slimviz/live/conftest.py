"""Real networks, tiny and randomly initialised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pruning.study import Study, read_study
from pruning.variants import TEACHER, slim
from slimviz.live.networks import Network, _load_network, load_networks
from tests.factories.tiny_study import BUDGET


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """No network of an earlier test."""
    _load_network.clear()
    yield
    _load_network.clear()


@pytest.fixture
def study(tiny_folder: Path) -> Callable[[str], Study]:
    """A study of `tiny_folder` by name."""
    return lambda name: read_study(tiny_folder / name)


@pytest.fixture
def networks(study: Callable[[str], Study]) -> Callable[[str], list[Network]]:
    """Teacher and slim network of a study by name."""

    def load(name: str) -> list[Network]:
        loaded, problems = load_networks(study(name), (TEACHER, slim(BUDGET)))
        assert not problems
        return loaded

    return load
