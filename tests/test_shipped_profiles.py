"""Profiles that ship are of networks that ship, scored on the rows of their studies; torch scores as stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning.advice import is_of, is_scored
from pruning.runtimes.stored import PROFILES, read_profile
from pruning.study import BUNDLED, read_study

FILES = sorted(PROFILES.glob("*.json"))


@pytest.mark.skipif(not FILES, reason="no profiles ship yet")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_of_the_study_that_ships(path: Path) -> None:
    profile = read_profile(path)
    study = read_study(BUNDLED / profile.study)
    assert path.stem == f"{profile.study}-{profile.variant}"
    assert is_of(profile, study), "made of other weights; the README of the profiles has the command"
    assert is_scored(profile, study)
    assert profile.commit is not None
    assert not profile.commit.endswith("+"), "made with files that were changed since"
    in_torch = [one for one in profile.profile.scores or () if one.runtime == "torch"]
    assert [one.network for one in in_torch] == ["teacher", profile.variant]
    for one in in_torch:
        result = study.result(one.network)
        assert result is not None
        main = study.task.main_metric
        assert one.metrics[main] == pytest.approx(result.metrics[main], abs=0.002)
