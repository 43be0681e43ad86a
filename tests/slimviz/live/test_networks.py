"""Loading: once, again after a change, and in one line where it fails."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pruning.errors import StoreError
from pruning.study import Study, read_study
from pruning.variants import TEACHER, slim
from slimviz.frames.budgets import shipped_budgets
from slimviz.live.answers import predict
from slimviz.live.networks import Network, _spare_the_collector, load_network, load_networks
from tests.factories.tiny_study import BUDGET, write_tiny_study

SLIM = slim(BUDGET)
BOTH = (TEACHER, SLIM)
Networks = Callable[[str], list[Network]]
Studies = Callable[[str], Study]


def test_garbage_collection_is_quick_once_networks_are_loaded(study: Studies) -> None:
    """Streamlit collects after each run: what torch and transformers brought must not be looked through every time."""
    _spare_the_collector.cache_clear()
    gc.unfreeze()
    seen = len(gc.get_objects())
    load_networks(study("sst2"), BOTH)
    assert len(gc.get_objects()) < seen / 10
    assert gc.get_freeze_count() > seen / 2


def test_only_budgets_with_weights_are_offered(study: Studies) -> None:
    assert shipped_budgets(study("sst2")) == [BUDGET]


def test_networks_are_loaded_once_for_study_variant_and_device(networks: Networks) -> None:
    first, second = networks("sst2"), networks("sst2")
    assert [a.model is b.model for a, b in zip(first, second, strict=True)] == [True, True]
    for text in ("good", "a cold soup"):
        predict(first, text)
    assert networks("sst2")[1].model is first[1].model
    assert networks("stsb")[1].model is not first[1].model


def test_a_study_that_was_replaced_is_loaded_again(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    before = load_network(read_study(folder), SLIM)
    os.utime(folder / "study.json", ns=(1, 1))
    assert load_network(read_study(folder), SLIM).model is not before.model


def test_damaged_and_missing_weights_are_one_line(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    weights = folder / str(SLIM) / "model.safetensors"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    loaded, problems = load_networks(read_study(folder), BOTH)
    assert [network.variant for network in loaded] == [TEACHER]
    assert problems[SLIM].startswith(f"sst2/{SLIM}: {SLIM}/model.safetensors is not the file that was stored")
    assert "\n" not in problems[SLIM]
    with pytest.raises(StoreError, match="sst2/slim-10: no weights in the study folder"):
        load_network(read_study(folder), slim("10"))


def test_without_its_backbone_the_teacher_stays_away(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    (tmp_path / ".backbone" / "model.safetensors").unlink()
    loaded, problems = load_networks(read_study(folder), BOTH)
    assert [network.variant for network in loaded] == [SLIM]
    assert "backbone" in problems[TEACHER]
