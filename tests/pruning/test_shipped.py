"""Where shipped studies and probe sets are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning.data import PROBE_FOLDER
from pruning.runtimes.stored import PROFILES
from pruning.shipped import is_installed, shipped
from pruning.study import BUNDLED, list_studies

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_has_them_beside_the_package() -> None:
    assert not is_installed()
    assert ROOT / "assets" / "studies" == BUNDLED
    assert ROOT / "assets" / "probe" == PROBE_FOLDER
    assert ROOT / "assets" / "profiles" == PROFILES


def test_installed_they_are_inside_the_package_whatever_lies_beside_it(tmp_path: Path) -> None:
    package = tmp_path / "pruning"
    for parent in (package, tmp_path):
        (parent / "assets" / "studies").mkdir(parents=True)
    assert is_installed(package)
    assert shipped("studies", package) == package / "assets" / "studies"
    assert shipped("probe", package) == package / "assets" / "probe"  # missing, and not the stranger's


def test_a_missing_folder_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shipped("studies", tmp_path / "pruning")
    assert folder == tmp_path / "assets" / "studies"
    monkeypatch.setattr("pruning.study.read.BUNDLED", folder)
    monkeypatch.delenv("SLIMVIZ_STUDIES", raising=False)
    assert list_studies() == []
