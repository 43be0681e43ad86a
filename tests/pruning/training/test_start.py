"""A teacher that goes on from another task's: what it takes over, and what it refuses."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from pruning.bert.adapter import load_trained
from pruning.errors import BackboneError, ConfigError
from pruning.training import teacher
from pruning.training.start import begin_at, find_start
from tests.conftest import build_bert


def stored(folder: Path, rank: int | None) -> Path:
    """A stored teacher whose trained weights are all moved from where they began."""
    model = build_bert(1)
    model = teacher._with_adapter(model, rank, 0) if rank else model
    with torch.no_grad():
        for number, parameter in enumerate(p for p in model.parameters() if p.requires_grad):
            parameter.add_(0.01 * (1 + number % 3))
    teacher.store_teacher(model, folder, "tiny")
    return folder


def merged(model: Any, folder: Path) -> dict[str, torch.Tensor]:
    """The network as it would be stored and loaded, without its classifier."""
    teacher.store_teacher(model, folder, "tiny")
    state = load_trained(build_bert(1), folder).state_dict()
    return {name: value for name, value in state.items() if not name.startswith("classifier")}


@pytest.mark.parametrize(("rank", "own"), [(2, 2), (2, 5), (None, None)])
def test_the_function_that_is_begun_with_is_the_others(tmp_path: Path, rank: int | None, own: int | None) -> None:
    folder = stored(tmp_path / "first", rank)
    model = build_bert(1)
    model = teacher._with_adapter(model, own, 7) if own else model
    before = copy.deepcopy(model.state_dict())
    begin_at(model, find_start("first", folder), own)
    changed = {name for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed
    assert not any("classifier" in name for name in changed)
    expected = load_trained(build_bert(1), folder).state_dict()
    for name, value in merged(model, tmp_path / "second").items():
        assert torch.allclose(value, expected[name], atol=1e-3), name


@pytest.mark.parametrize(
    ("rank", "own", "message"),
    [
        (4, 2, "adapter of rank 4, expected at most 2"),
        (None, 2, "its teacher has full weights, expected an adapter"),
        (2, None, "its teacher has an adapter, expected full weights"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused(
    tmp_path: Path, rank: int | None, own: int | None, message: str
) -> None:
    start = find_start("first", stored(tmp_path / "first", rank))
    model = teacher._with_adapter(build_bert(1), own, 0) if own else build_bert(1)
    with pytest.raises(ConfigError, match=f"^teacher-from first: {message}"):
        begin_at(model, start, own)


def test_a_damaged_teacher_is_one_line(tmp_path: Path) -> None:
    folder = stored(tmp_path / "first", 2)
    (folder / "adapter_model.safetensors").write_bytes(b"nothing")
    with pytest.raises(BackboneError, match=r"^teacher-from first: weights cannot be loaded"):
        begin_at(teacher._with_adapter(build_bert(1), 2, 0), find_start("first", folder), 2)


def test_a_folder_without_a_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^teacher-from first: no teacher's weights in "):
        find_start("first", tmp_path)
