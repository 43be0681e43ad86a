"""Stored studies of a tiny network."""

from pathlib import Path

import pytest

from pruning.study import write_study
from tests.factories.study_contents import made_contents


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    return tmp_path / "studies"


@pytest.fixture
def stored(tmp_path: Path, studies: Path) -> Path:
    """A stored study's folder."""
    return write_study(studies / "sst2", made_contents(tmp_path)).folder
