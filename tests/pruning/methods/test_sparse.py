"""Sparse training: budgets are met, zeros stay zeros, and an interrupted one goes on to the same end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from pruning.bert.counts import count_parameters
from pruning.compress.sparse import SPARSE_METHODS, kernel
from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.target import nonzero
from pruning.errors import SelectionError
from pruning.measure.storage import stored
from pruning.methods.made import Made
from pruning.methods.registry import METHODS
from pruning.methods.room import room_at
from pruning.methods.shared import Shared
from pruning.methods.sparse import sparse_kernels
from pruning.methods.steps import cut_to
from pruning.selection.budget import Budget
from pruning.slimbert import encoder_linears, parameter_count
from pruning.stages import Stages
from pruning.training.sparsity import SparsityCallback
from tests.factories.small_training import killed_at_step
from tests.factories.sparse_network import weights
from tests.pruning.methods.conftest import FIFTH, HALF, STEPS

Elsewhere = Callable[[str], Shared]


@pytest.fixture(scope="module")
def elsewhere(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """The same teacher with folders of its own for all that comes after it."""
    root = tmp_path_factory.mktemp("elsewhere")
    lessons = shared.lessons

    def at(name: str) -> Shared:
        found = replace(shared, stages=Stages(root / name, shared.stages.inputs))
        found.__dict__["lessons"] = lessons
        return found

    return at


def make(shared: Shared, name: str, budget: Budget = FIFTH) -> Made:
    return METHODS[name].load()(shared, budget, None)


@pytest.mark.parametrize("name", SPARSE_METHODS)
def test_the_budget_is_met_by_zeros_in_the_layers_alone(shared: Shared, name: str) -> None:
    made, room = make(shared, name), room_at(shared, FIFTH)
    base = cut_to(shared, FIFTH, room.selection(room.base)).cut.model
    counted, whole = parameter_count(made.model, nonzero), parameter_count(base)
    weights = [linear.weight for linear in encoder_linears(made.model).values()]
    left = room.limit - whole.total + sum(weight.numel() for weight in weights)
    kept = sum(nonzero(weight) for weight in weights)
    assert (
        left - 4 * len(weights) <= kept <= left < 0.3 * whole.encoder
    )  # each matrix rounds once, in fours at the most
    assert counted.total <= room.limit
    assert counted.embeddings > 0.95 * whole.embeddings  # padding's row is zero
    assert parameter_count(made.model) == whole
    assert made.model.state_dict().keys() == base.state_dict().keys()
    assert stored(made.model).layout != "dense"
    distances = [entry["hidden"] for entry in made.history if "hidden" in entry]
    assert distances  # it followed the teacher


def test_only_fours_are_stored_as_fours(shared: Shared) -> None:
    alone, fours = (stored(make(shared, name).model) for name in ("obert", "obert-fours"))
    assert abs(alone.nonzero - fours.nonzero) < 8
    assert fours.index_bytes < alone.index_bytes


@pytest.mark.parametrize("name", ["sparse-magnitude-gradual", "movement", "obert"])
def test_an_interrupted_training_ends_the_same(shared: Shared, elsewhere: Elsewhere, name: str) -> None:
    expected, killed = make(shared, name), elsewhere(f"{name}-killed")
    with killed_at_step(STEPS - 1), pytest.raises(KeyboardInterrupt):
        make(killed, name)
    for _ in range(2):  # goes on from the checkpoint of the step before; is only loaded
        found = make(killed, name)
        assert found.history == expected.history
        state = found.model.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in expected.model.state_dict().items())


def watched(shared: Shared, name: str, schedule: Schedule, when: str, check: Any = None) -> list[dict[str, Any]]:
    """The layers' weights at every step of a method with another schedule."""
    seen: list[dict[str, Any]] = []
    original = getattr(SparsityCallback, when)

    def watch(self: SparsityCallback, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if check is not None:
            check(self.target)
        seen.append(weights(self.target))

    changed = {name: replace(SPARSE_METHODS[name], schedule=schedule)}
    with mock.patch.dict(SPARSE_METHODS, changed), mock.patch.object(SparsityCallback, when, watch):
        make(shared, name)
    assert len(seen) == STEPS
    return seen


@pytest.mark.parametrize("name", ["sparse-magnitude-gradual", "obert"])
def test_a_zero_stays_one_at_every_step_and_has_no_gradient(elsewhere: Elsewhere, name: str) -> None:
    def has_no_gradient(target: Any) -> None:
        for module in target.matrices.values():
            assert module.weight.grad is not None
            assert not module.weight.grad[module.weight == 0].any()

    schedule = Schedule(times=3, end=0.5)
    seen = watched(elsewhere(f"{name}-watched"), name, schedule, "on_optimizer_step", has_no_gradient)
    counts = [sum(nonzero(weight) for weight in values.values()) for values in seen]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 3
    for earlier, later in pairwise(seen):
        for key, weight in earlier.items():
            assert not later[key][weight == 0].any()
            assert not torch.equal(later[key], weight)  # the others are trained


def test_movement_brings_some_back(elsewhere: Elsewhere) -> None:
    seen = watched(elsewhere("movement-watched"), "movement", Schedule(times=1, begin=0.5, end=0.5), "on_step_end")
    dense, *sparse = seen[STEPS // 2 - 2 :]
    assert all(nonzero(weight) == weight.numel() for weight in dense.values())
    counts = [[nonzero(weight) for weight in values.values()] for values in sparse]
    assert len(counts) > 1
    assert all(found == counts[0] for found in counts)
    assert any(sparse[-1][name][weight == 0].any() for name, weight in sparse[0].items())


def test_a_stage_is_known_by_schedule_options_and_constants(shared: Shared) -> None:
    make(shared, "obert-fours")
    (path,) = Path(shared.stages.folder).glob("obert-fours-recover-20-*/stage.json")
    settings = json.loads(path.read_text())["settings"]
    assert settings["schedule"] == {"times": SPARSE_METHODS["obert-fours"].schedule.times, "begin": 0.0, "end": 0.7}
    assert settings["options"] == {"together": 4}
    assert settings["constants"] == {"block": 48, "examples": 256, "damping": 0.1}


def test_a_kernel_is_timed_where_there_is_one_and_zeros_for_it(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(shared, "obert")
    assert list(made.kernels) == ["csr"]
    inputs = {"input_ids": torch.tensor([[2, 7, 3]])}
    with torch.no_grad():
        torch.testing.assert_close(made.kernels["csr"](**inputs).logits, made.model(**inputs).logits)
    assert sparse_kernels(shared_base(shared)) == {}  # no zeros
    monkeypatch.setattr(kernel, "_compressed", mock.Mock(side_effect=kernel.MeasureError("none")))
    assert sparse_kernels(made.model) == {}


def shared_base(shared: Shared) -> Any:
    room = room_at(shared, HALF)
    return cut_to(shared, HALF, room.selection(room.base)).cut.model


@pytest.mark.parametrize("name", ["obert", "decomposition", "shared-layers"])
def test_a_budget_of_anything_but_parameters_is_refused(shared: Shared, name: str) -> None:
    with pytest.raises(SelectionError, match="budget flops-50: expected total_density or encoder_density"):
        make(shared, name, Budget("flop_ratio", 0.5))


@pytest.mark.parametrize("name", ["obert", "decomposition"])
def test_a_budget_of_the_layers_is_one_too(shared: Shared, name: str) -> None:
    found = stored(make(shared, name, Budget("encoder_density", 0.4)).model)
    whole = count_parameters(shared.factors.shape.network()).encoder
    assert 0.35 * whole < found.encoder_nonzero <= 0.4 * whole
