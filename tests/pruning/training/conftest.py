"""The training that others are compared with, and no garbage collected meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.factories.quick_run import frozen_garbage
from tests.factories.small_training import Result, finish


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with frozen_garbage():
        yield


@pytest.fixture(scope="package")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return finish(tmp_path_factory.mktemp("uninterrupted"))
