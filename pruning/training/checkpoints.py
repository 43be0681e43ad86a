"""Checkpoints that never look whole when they are not: what training changes, and the list of files written last."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from pruning.bert.slim_layer import SlimLayer
from pruning.errors import TrainingError
from pruning.files import put_in_place, remove

COMPLETE = "complete.json"  # written last into a checkpoint: name -> size of every other file
STATE = "model.safetensors"
STAGING = "staging"  # folder of a checkpoint that is being written
KEPT = 2  # the newest ones; a damaged one is passed over


def trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """What training changes, on the CPU, by name."""
    return {name: value.detach().cpu().clone().contiguous() for name, value in _changing(model).items()}


def _changing(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that are trained, and the sensitivities that slim layers record."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, SlimLayer)}
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return trained | {f"{name}.sensitivity": layer.sensitivity for name, layer in layers.items()}


def save_trained_state(model: nn.Module, path: Path) -> None:
    """Write `trained_state`."""
    save_file(trained_state(model), path)


def load_trained_state(model: nn.Module, path: Path) -> None:
    """Put back what `save_trained_state` wrote.

    Raises:
        TrainingError: if the file is of another network.
    """
    state, changing = load_file(path), _changing(model)
    if state.keys() != changing.keys():
        raise TrainingError(f"{path.parent.name}/{path.name}: holds other parameters than the network in training")
    with torch.no_grad():
        for name, value in changing.items():
            value.copy_(state[name])


def complete_checkpoint(folder: Path, name: str) -> None:
    """Rename a checkpoint that was written to the staging folder into place, and remove all but the newest ones."""
    written = folder / STAGING / name
    sizes = {file.name: file.stat().st_size for file in written.iterdir()}
    (written / COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")
    put_in_place(written, folder / name)
    remove(folder / STAGING)
    for old in checkpoints(folder)[KEPT:]:
        remove(old)


def remove_checkpoints(folder: Path) -> None:
    """Remove what a finished training does not need any more."""
    for path in (*checkpoints(folder), folder / STAGING):
        remove(path)


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first, whole or not."""
    found = [path for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if path.name.split("-")[-1].isdigit()]
    return sorted(found, key=lambda path: -int(path.name.split("-")[-1]))


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose files are all there at their full size; None where there is none."""
    for path in checkpoints(folder):
        try:
            sizes = json.loads((path / COMPLETE).read_text(encoding="utf-8"))
            if all((path / name).stat().st_size == size for name, size in sizes.items()):
                return path
        except (OSError, ValueError, AttributeError):
            continue
    return None
