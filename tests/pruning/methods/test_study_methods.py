"""Studies made by each method that can make one: the sweep's network, stored with masks that say what it chose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pruning.config import StudyConfig
from pruning.errors import ConfigError
from pruning.methods.registry import METHODS, NEVER_SOLVED, STUDY_METHODS, study_method
from pruning.methods.shared import Shared
from pruning.pipeline import make_networks
from pruning.report import Run, store_run
from pruning.study import Study, load_cut, load_history, load_masks, verify
from pruning.study.notes import notes
from pruning.training.context import Context
from pruning.variants import Variant
from tests.factories.quick_run import quick_measurements
from tests.pruning.methods.conftest import FIFTH, HALF


@pytest.fixture(scope="module")
def run_by(context: Context, runs: Path, shared: Shared, name: str) -> Run:
    return make_networks(replace(context, config=context.config.replace(method=name)), runs)


@pytest.fixture(scope="module")
def study_by(run_by: Run, name: str, tmp_path_factory: pytest.TempPathFactory) -> Study:
    with quick_measurements(peak_memory=1_000_000):
        return store_run(run_by, tmp_path_factory.mktemp(name) / "study", command=f"run --method {name}")


every = pytest.mark.parametrize("name", STUDY_METHODS, scope="module")


@every
def test_its_networks_are_those_of_a_sweep(run_by: Run, name: str, shared: Shared) -> None:
    for network, budget in zip(run_by.networks, (HALF, FIFTH), strict=True):
        swept = METHODS[name].load()(shared, budget, None).model.state_dict()
        own = network.recovered[None].model.state_dict()
        assert own.keys() == swept.keys()
        assert all(torch.equal(own[key], swept[key]) for key in own)


@every
def test_a_study_says_its_method_and_holds_its_choice(study_by: Study, run_by: Run, name: str) -> None:
    assert verify(study_by.folder) == []
    assert study_by.method == name
    assert study_by.final("20") == Variant(name, "20")
    assert study_by.weights(f"{name}-20") is not None
    solved = [] if name in NEVER_SOLVED else ["post-training-20"]
    assert [variant for variant in study_by.variants if variant.endswith("-20")] == [
        "one-shot-20",
        *solved,
        f"{name}-20",
    ]
    chosen = run_by.networks[1].cut.selection
    assert load_masks(study_by, "20").equals(chosen.masks)
    assert np.array_equal(load_cut(study_by, "20").pieces, chosen.pieces)
    said = " ".join(notes(study_by.document, "It"))
    assert (f"chosen by a rival method, {name}, and not" in said) == (name != "slim")
    assert ("above its budget" in said) == (name == "head-gradient")
    card = (study_by.folder / f"{name}-20" / "README.md").read_text()
    assert (f"chosen by a rival method, {name}" in card) == (name != "slim")


@every
def test_a_stored_network_answers_as_it_did(study_by: Study, run_by: Run, name: str) -> None:
    texts = ["good words", "bad"]
    network = run_by.by_variant()[Variant(name, "20")]
    expected = network.model(**network.tokenizer(texts, return_tensors="pt", padding=True)).logits
    assert np.allclose(study_by.logits(f"{name}-20", texts), expected.detach().numpy(), atol=1e-5)


@every
def test_training_before_any_cut_is_told_once(study_by: Study, run_by: Run, name: str) -> None:
    told = [row for row in load_history(study_by) if row["stage"] == "slim"]
    assert len(told) == len(run_by.earlier)
    assert bool(told) == (name == "slimbert")


def test_random_units_are_drawn_once_for_all_seeds(context: Context, runs: Path, shared: Shared) -> None:
    config = context.config.replace(method="random", recover=context.config.recover.replace(seeds=(7,)))
    small = make_networks(replace(context, config=config), runs).networks[1]
    assert list(small.models) == [
        Variant("one-shot", "20"),
        Variant("post-training", "20"),
        Variant("random", "20"),
        Variant("random", "20", 7),
    ]
    own, other = (network.model.state_dict() for network in small.recovered.values())
    assert {name: value.shape for name, value in own.items()} == {name: value.shape for name, value in other.items()}
    assert not all(torch.equal(own[name], other[name]) for name in own)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": "obert"}, "method 'obert': leaves what a study cannot hold, which a sweep measures; expected one"),
        ({"method": "nobody"}, "method 'nobody': unknown; expected one of slim, slimbert, kwon"),
        ({"method": "kwon", "stages": ("slim", "recover")}, "method kwon: cuts the teacher as it is, expected no slim"),
        ({"method": "head-gradient", "stages": ("least_squares",)}, "method head-gradient: solves no matrices"),
    ],
)
def test_what_cannot_make_a_study_is_said_before_anything_is_trained(
    context: Context, tmp_path: Path, changes: dict, problem: str
) -> None:
    config = context.config.replace(**changes)
    with pytest.raises(ConfigError, match=problem):
        make_networks(replace(context, config=config), tmp_path)
    assert not list(tmp_path.iterdir())


def test_methods_that_make_studies_are_those_that_keep_units_of_every_layer() -> None:
    assert STUDY_METHODS == ("slim", "slimbert", "kwon", "magnitude", "head-gradient", "random")
    assert study_method(StudyConfig()).name == "slim"
