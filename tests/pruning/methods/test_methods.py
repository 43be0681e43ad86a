"""Every method of the registry on one tiny teacher: what it keeps, that its network is small, alike and honest."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import Site
from pruning.importance.registry import CRITERIA
from pruning.measure.storage import stored
from pruning.methods import head_gradient, kwon, random_units, slimbert, small_dense
from pruning.methods.made import Made
from pruning.methods.registry import METHODS
from pruning.methods.room import Room, room_at
from pruning.methods.shared import Shared
from pruning.methods.steps import even_states
from pruning.pipeline import make_networks
from pruning.slimbert import parameter_count, shape_of
from pruning.training import recover, slim
from pruning.training.context import Context
from pruning.variants import Variant
from tests.pruning.methods.conftest import FIFTH, HALF, STEPS

# Those with networks of their own; int8 is put on top of another's, see `test_quantised`.
TRAINED = {name: method for name, method in METHODS.items() if not name.endswith("quantised")}


@pytest.fixture(scope="module")
def made(shared: Shared) -> dict[str, Made]:
    """All of them at 20%."""
    return {name: method.load()(shared, FIFTH, None) for name, method in TRAINED.items()}


def same(first: Any, second: Any) -> bool:
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def dense(shared: Shared) -> int:
    return count_parameters(shared.factors.shape.network()).total


@pytest.mark.parametrize("name", METHODS)
def test_a_method_names_a_variant_and_says_where_it_is_from(name: str) -> None:
    assert Variant.parse(f"{name}-2.5-seed1") == Variant(name, "2.5", 1)
    assert name == "slim" or "Rival" in str(import_module(METHODS[name].module).__doc__)


@pytest.mark.parametrize("name", TRAINED)
def test_a_network_is_within_its_budget_or_says_that_it_is_not(
    name: str, made: dict[str, Made], shared: Shared
) -> None:
    network, family = made[name], METHODS[name].family
    found = stored(network.model)
    density = found.nonzero / dense(shared)
    assert (found.parameters > found.nonzero + 1000) == (family == "unstructured")
    in_shape = count_parameters(shape_of(network.model.config)).total
    assert (parameter_count(network.model).total == in_shape) == (family != "other")
    assert (density > 0.2) == ("does not reach its budget" in network.note)
    assert density > 0.15
    assert not network.model.training
    for tensor in network.model.state_dict().values():
        assert torch.equal(tensor, tensor.half().to(tensor.dtype))
    assert torch.isfinite(network.model(input_ids=torch.tensor([[2, 7, 3]])).logits).all()


def test_only_what_cannot_reach_a_fifth_says_so(made: dict[str, Made]) -> None:
    assert {name for name, network in made.items() if network.note} == {"head-gradient", "layers", "shared-layers"}
    assert made["layers"].note == "does not reach its budget (31.3% of all parameters): one whole layer is left"


def test_all_have_the_same_steps_and_the_same_word_table(made: dict[str, Made]) -> None:
    steps = {name: network.steps for name, network in made.items()}
    slimming = steps.pop("slimbert") - STEPS  # factors are trained first
    assert set(steps.values()) == {STEPS}
    assert slimming == 5  # 56 rows in batches of 12
    vocabularies = {name: network.tokenizer.get_vocab() for name, network in made.items() if name != "magnitude"}
    assert all(vocabulary == vocabularies["slim"] for vocabulary in vocabularies.values())
    assert len({network.model.config.rank for network in made.values()}) == 1


def test_all_but_slimbert_follow_the_teacher(made: dict[str, Made]) -> None:
    for name, network in made.items():
        parts = {part for entry in network.history if entry["stage"] == "recover-20" for part in entry}
        assert ({"logits", "hidden"} <= parts) == (name != "slimbert"), name
        assert "task" in parts


def test_the_default_is_what_a_study_makes(
    context: Context, runs: Path, shared: Shared, made: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same folder: the study finds every stage that the method left, and trains nothing."""
    METHODS["slim"].load()(shared, HALF, None)
    before = {path.name for path in (runs / "own").glob("*recover-*")}
    monkeypatch.setattr(recover, "train", _trained_only(recover.train))
    run = make_networks(context, runs)
    assert same(run.networks[1].recovered[None].model, made["slim"].model)
    assert {path.name for path in (runs / "own").glob("*recover-*")} == before


def _trained_only(train: Any) -> Any:
    def checked(model: Any, training: Any, context: Context) -> Any:
        assert (training.folder / "result").is_dir(), f"{training.name} would be trained"
        return train(model, training, context)

    return checked


def test_what_is_made_once_is_found_again(
    shared: Shared, made: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (recover, slim):
        monkeypatch.setattr(module, "train", _trained_only(module.train))
    monkeypatch.setattr(kwon, "example_gradients", None)
    for name, method in TRAINED.items():
        again = method.load()(shared, FIFTH, None)
        assert same(again.model, made[name].model), name
        assert again.history == made[name].history


def test_no_two_methods_share_a_network_or_its_stage(shared: Shared, made: dict[str, Made]) -> None:
    models = [network.model for network in made.values()]
    assert not any(same(one, other) for one in models for other in models if one is not other)
    stages = [json.loads(path.read_text()) for path in shared.stages.folder.glob("*recover-20-*/stage.json")]
    assert {stage["settings"].get("method", "slim") for stage in stages} == set(TRAINED)


def test_a_seed_trains_anew_and_draws_other_units(shared: Shared, made: dict[str, Made]) -> None:
    room = room_at(shared, FIFTH)
    first, second = (random_units.random_units(room, seed) for seed in (0, 1))
    assert not first.masks.equals(second.masks)
    assert first.masks.equals(random_units.random_units(room, 0).masks)
    other = METHODS["random"].load()(shared, FIFTH, 1)
    assert not same(other.model, made["random"].model)


@pytest.fixture(scope="module", params=(HALF, FIFTH), ids=("half", "fifth"))
def room(request: pytest.FixtureRequest, shared: Shared) -> Room:
    return room_at(shared, request.param)


def test_random_units_have_the_defaults_heads_and_fill_the_budget(room: Room) -> None:
    found, shape = random_units.random_units(room, 3), room.shape
    kept = found.masks.heads(shape)
    assert set(np.unique(kept)) <= {0, shape.head_size}
    assert (kept > 0).sum() == (room.default.masks.heads(shape) > 0).sum()
    assert room.cost(found.shape) <= room.limit
    (free,) = np.nonzero(~found.masks.ffn_hidden.ravel())
    more = found.masks.ffn_hidden.ravel().copy()
    more[free[0]] = True
    assert not room.fits(found.masks.with_site(Site.FFN_HIDDEN, more.reshape(shape.layers, -1)))


def test_heads_go_least_important_first_but_for_one_a_layer(room: Room) -> None:
    importance = np.array([[4.0, 3.0, 2.0, 1.0], [40.0, 9.0, 8.0, 7.0]])  # the second layer's are larger throughout
    kept = head_gradient.best_heads(room, importance).masks.heads(room.shape) > 0
    assert kept[:, 0].all()
    norms = importance / np.linalg.norm(importance, axis=1, keepdims=True)
    rest = norms[:, 1:]
    assert not kept[:, 1:].any() or rest[kept[:, 1:]].min() >= rest[~kept[:, 1:]].max(initial=-1)


def test_a_small_dense_network_has_whole_layers_of_first_units(room: Room) -> None:
    layers, masks = small_dense.small_shape(room)
    heads = masks.heads(room.shape) > 0
    widths = masks.ffn_hidden.sum(1)
    assert (heads == np.sort(heads, axis=1)[:, ::-1]).all()
    assert masks.ffn_hidden[0, : widths[0]].all()
    assert len(set(widths)) == 1
    assert layers == room.shape.layers or widths[0] >= room.plan.hidden or not heads.all()
    assert room.fits(masks, layers)
    assert widths[0] == room.shape.ffn or not room.fits(
        small_dense.first_units(room, int(heads[0].sum()), int(widths[0]) + 1), layers
    )


def test_the_quantile_of_alpha_is_one_over_all_sites(room: Room) -> None:
    generator = np.random.default_rng(0)
    sites = [site for site in Site if site is not Site.HIDDEN]
    alpha = {site: generator.random(room.shape.units(site)).astype(np.float32) for site in sites}
    found = slimbert.above_quantile(room, alpha)
    lowest = min(alpha[site][found.masks[site]].min() for site in sites)
    highest = max(alpha[site][~found.masks[site]].max(initial=0) for site in sites)
    assert lowest > highest
    assert found.masks.hidden.all()
    assert room.cost(found.shape) <= room.limit


def brute_force(room: Room, gradients: dict[str, np.ndarray]) -> float:
    """Most information that any number of heads leaves, by trying all numbers of heads and FFN units."""
    heads, units = (np.square(gradients[name].astype(float)).mean(0).ravel() for name in ("heads", "ffn"))
    best = 0.0
    for count in range(1, len(heads) + 1):
        kept = np.isin(np.arange(len(heads)), np.argsort(-heads, kind="stable")[:count]).reshape(room.shape.layers, -1)
        for width in range(len(units) + 1):
            ffn = np.isin(np.arange(len(units)), np.argsort(-units, kind="stable")[:width])
            masks = room.with_heads(kept).with_site(Site.FFN_HIDDEN, ffn.reshape(room.shape.layers, -1))
            if room.fits(masks):
                best = max(best, heads[kept.ravel()].sum() + units[ffn].sum())
    return best


def test_the_search_keeps_the_most_information(shared: Shared, room: Room) -> None:
    gradients = kwon.gate_gradients(shared)
    masks = kwon.searched(room, gradients)
    heads, units = (np.square(gradients[name].astype(float)).mean(0) for name in ("heads", "ffn"))
    kept = heads[masks.heads(room.shape) > 0].sum() + units[masks.ffn_hidden].sum()
    assert kept == pytest.approx(brute_force(room, gradients))


def test_gate_gradients_are_those_of_the_stored_criteria(shared: Shared) -> None:
    gradients = kwon.gate_gradients(shared)
    assert {"head_fisher", "fisher"} <= set(CRITERIA)
    for name, criterion, site in (
        ("heads", "head_fisher", Site.ATTENTION_CONTEXT),
        ("ffn", "fisher", Site.FFN_HIDDEN),
    ):
        np.testing.assert_allclose(
            np.square(gradients[name]).mean(0), shared.factors.stored(criterion)[site], rtol=1e-4, atol=1e-9
        )


def cost(gone: np.ndarray, gradients: np.ndarray) -> float:
    return float(np.square(gradients[:, gone].sum(1)).sum())


@pytest.mark.parametrize("seed", range(5))
def test_rearranging_lowers_what_the_whole_matrix_says(seed: int) -> None:
    generator = np.random.default_rng(seed)
    gradients = generator.normal(size=(30, 12))
    gradients[:, 6:] -= gradients[:, :6]  # units that cancel: cheap together, dear alone
    lengths = np.square(gradients).sum(0)
    mask = np.isin(np.arange(12), np.argsort(-lengths)[:6])
    found = kwon.rearranged(mask, gradients)
    assert found.sum() == 6
    assert cost(~found, gradients) < cost(~mask, gradients)
    for whole in (np.ones(12, dtype=bool), np.zeros(12, dtype=bool)):
        assert (kwon.rearranged(whole, gradients) == whole).all()


def test_fewer_layers_follow_states_at_even_distances() -> None:
    assert even_states(6, 3) == (0, 2, 4, 6)
    assert even_states(6, 6) == (0, 1, 2, 3, 4, 5, 6)
    assert even_states(6, 1) == (0, 6)
