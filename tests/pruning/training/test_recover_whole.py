"""Sparse training: budgets are met, zeros stay zeros, and an interrupted one goes on to the same end."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from pruning.compress.decompose import decomposed
from pruning.compress.shared_layers import shared
from pruning.compress.sparse import SPARSE_METHODS
from pruning.compress.sparse.schedule import Schedule
from pruning.compress.sparse.sparsifier import Texts
from pruning.compress.sparse.target import nonzero
from pruning.selection.budget import Budget
from pruning.slimbert import dense_from_bert, parameter_count, round_to_half
from pruning.training.recover import Lessons, Recovered
from pruning.training.recover_whole import recover_whole
from pruning.training.sparsity import Sparsity, SparsityCallback
from tests.conftest import build_bert
from tests.factories.small_training import killed_at_step, make_cache, make_context, make_encoded
from tests.factories.sparse_network import encoder, total, weights

STEPS = 8  # two epochs of four batches, with a checkpoint at every other step
SHORT = {name: m.schedule.replace(times=min(3, m.schedule.times)) for name, m in SPARSE_METHODS.items()}
METHODS = sorted(SPARSE_METHODS)


def learnt(folder: Path, network: Any, budget: Budget, name: str | None = None, schedule: Any = None) -> Recovered:
    """A network that has learned from the tiny BERT, made sparse by a method."""
    # Above 20% density recovery takes a quarter of the epochs.
    context = make_context(**{"recover.epochs": 2 if budget.value <= 0.2 else 8, "recover.rate": 1e-2})
    context.__dict__["validation"] = make_encoded(6, 7)  # it has no tokenizer to make it with
    encoded, sparsity = make_encoded(), None
    no_examples: Any = None
    lessons = Lessons(no_examples, encoded, make_cache(folder.parent / "cache", encoded, build_bert()))
    if name is not None:
        texts = Texts(make_encoded(8), is_regression=False, seed=0)
        sparsity = Sparsity(SPARSE_METHODS[name].sparsifier(texts), schedule or SHORT[name])
    return recover_whole(context, network, "recover-20", budget, lessons, folder, sparsity=sparsity)


@pytest.mark.parametrize("name", METHODS)
def test_the_budget_is_met_and_the_network_is_plain_and_has_learned(tmp_path: Path, name: str) -> None:
    dense = dense_from_bert(build_bert())
    before = {key: value.clone() for key, value in dense.state_dict().items()}
    found = learnt(tmp_path / "stage", dense, encoder(0.2), name)
    assert all(torch.equal(value, before[key]) for key, value in dense.state_dict().items())
    after = found.model.state_dict()
    assert set(after) == set(before)
    counted, whole = parameter_count(found.model, nonzero), parameter_count(dense)
    assert abs(counted.encoder - 0.2 * whole.encoder) <= len(SPARSE_METHODS)  # a group rounds once
    assert counted.embeddings == whole.embeddings
    assert not torch.allclose(after["classifier.weight"], before["classifier.weight"], atol=1e-4)
    assert all(torch.equal(value, value.half().float()) for value in after.values())
    assert found.history


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_training_ends_the_same(tmp_path: Path, name: str) -> None:
    dense = dense_from_bert(build_bert())
    expected = learnt(tmp_path / "whole" / "stage", dense, encoder(0.2), name)
    folder = tmp_path / "killed" / "stage"
    for step in (3, 5):  # after the checkpoints of steps 2 and 4, which is the first epoch's last
        with killed_at_step(step), pytest.raises(KeyboardInterrupt):
            learnt(folder, dense, encoder(0.2), name)
    for _ in range(2):  # goes on; is only loaded
        found = learnt(folder, dense, encoder(0.2), name)
        assert found.history == expected.history
        state = found.model.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in expected.model.state_dict().items())


@pytest.mark.parametrize("name", ["sparse-magnitude-gradual", "obert"])
def test_a_zero_stays_one_at_every_step_and_has_no_gradient(tmp_path: Path, name: str) -> None:
    seen: list[dict[str, Any]] = []
    update = SparsityCallback.on_optimizer_step

    def after_update(self: SparsityCallback, *args: Any, **kwargs: Any) -> None:
        update(self, *args, **kwargs)
        for module in self.target.matrices.values():
            assert module.weight.grad is not None
            assert not module.weight.grad[module.weight == 0].any()
        seen.append(weights(self.target))

    with mock.patch.object(SparsityCallback, "on_optimizer_step", after_update):
        learnt(tmp_path / "stage", dense_from_bert(build_bert()), total(0.5), name, Schedule(times=3, end=0.5))
    counts = [sum(nonzero(weight) for weight in values.values()) for values in seen]
    assert len(counts) == STEPS
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 3
    for earlier, later in pairwise(seen):
        for key, weight in earlier.items():
            assert not later[key][weight == 0].any()
            assert not torch.equal(later[key], weight)  # the others are trained


def test_movement_brings_some_back(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    update = SparsityCallback.on_step_end

    def after_step(self: SparsityCallback, *args: Any, **kwargs: Any) -> None:
        update(self, *args, **kwargs)
        seen.append(weights(self.target))

    with mock.patch.object(SparsityCallback, "on_step_end", after_step):
        schedule = Schedule(times=1, begin=0.5, end=0.5)
        learnt(tmp_path / "stage", dense_from_bert(build_bert()), encoder(0.5), "movement", schedule)
    dense, *sparse = seen[STEPS // 2 - 2 :]
    assert all(nonzero(weight) == weight.numel() for weight in dense.values())
    counts = [[nonzero(weight) for weight in values.values()] for values in sparse]
    assert len(counts) > 1
    assert all(found == counts[0] for found in counts)
    assert any(sparse[-1][name][weight == 0].any() for name, weight in sparse[0].items())


@pytest.mark.parametrize("what", ["shared", "decomposed"])
def test_other_networks_learn_the_same_way(tmp_path: Path, what: str) -> None:
    teacher = build_bert()
    network = shared(teacher) if what == "shared" else decomposed(teacher, make_encoded(), density=0.5)
    found = learnt(tmp_path / "stage", network, total(0.5))
    assert parameter_count(found.model) == parameter_count(network)
    distances = [entry["hidden"] for entry in found.history if "hidden" in entry]
    assert distances[-1] < distances[0]
    state, before = found.model.state_dict(), round_to_half(network).state_dict()
    assert all(torch.equal(value, value.half().float()) for value in state.values())
    assert not any(torch.equal(value, before[key]) for key, value in state.items() if key.endswith(".weight"))
