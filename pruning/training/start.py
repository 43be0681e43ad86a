"""A teacher that starts from another task's teacher instead of the bare backbone (intermediate-task training).

Phang et al. 2018, "Sentence encoders on STILTs": a task with few rows gains from a teacher trained on MNLI first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors import torch as tensors

from pruning.bert.adapter import ADAPTER_CONFIG, ADAPTER_WEIGHTS, DOWN, FULL_WEIGHTS, UP, AdapterSettings
from pruning.errors import BackboneError, ConfigError, one_line

CLASSIFIER = "classifier."  # of another task's labels: a new one is trained


@dataclass(frozen=True)
class Start:
    """A stored teacher to start from.

    Attributes:
        name: of its study.
        folder: with its adapter, or all of its weights.
        sha256: of these.
    """

    name: str
    folder: Path
    sha256: str


def find_start(name: str, folder: Path) -> Start:
    """A stored teacher's files.

    Raises:
        ConfigError: if the folder holds no teacher.
    """
    for weights in (ADAPTER_WEIGHTS, FULL_WEIGHTS):
        if (folder / weights).is_file():
            return Start(name, folder, hashlib.sha256((folder / weights).read_bytes()).hexdigest())
    raise ConfigError(f"teacher-from {name}: no teacher's weights in {folder.name}, expected {ADAPTER_WEIGHTS}")


def begin_at(model: Any, start: Start, rank: int | None) -> None:
    """Put a stored teacher's weights, but for its classifier, into a network about to be fine-tuned.

    An adapter of a lower rank fills the first rows of the new one; the others' product is zero, as at any start.

    Args:
        model: with an adapter of peft's, or without; changed in place.
        start: what to start from.
        rank: of the network's adapter; None where it has none.

    Raises:
        ConfigError: if the stored teacher cannot be continued this way.
        BackboneError: if its weights are damaged or of another network.
    """
    path = start.folder / ADAPTER_WEIGHTS
    if (rank is None) == path.is_file():
        kinds = ("an adapter", "full weights") if rank is None else ("full weights", "an adapter")
        raise ConfigError(f"teacher-from {start.name}: its teacher has {kinds[0]}, expected {kinds[1]} to go on with")
    try:
        stored = tensors.load_file(path if rank is not None else start.folder / FULL_WEIGHTS)
        stored = {name: tensor.float() for name, tensor in stored.items() if CLASSIFIER not in name}
        if rank is None:
            _put(dict(model.named_parameters()), stored)
            return
        settings = msgspec.json.decode((start.folder / ADAPTER_CONFIG).read_bytes(), type=AdapterSettings)
        if settings.r > rank or settings.lora_alpha != settings.r:
            raise ConfigError(f"teacher-from {start.name}: adapter of rank {settings.r}, expected at most {rank}")
        _put(_adapter_parameters(model), stored)
    except ConfigError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = one_line(str(error), 160)
        raise BackboneError(f"teacher-from {start.name}: weights cannot be loaded ({reason})") from None


def _adapter_parameters(model: Any) -> dict[str, torch.nn.Parameter]:
    """Peft's trained parameters by the names they are stored under."""
    found = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and CLASSIFIER not in name:
            found[name.replace(".default", "").replace(".modules_to_save", "")] = parameter
    return found


@torch.no_grad()
def _put(parameters: dict[str, torch.nn.Parameter], stored: dict[str, torch.Tensor]) -> None:
    missing = [name for name in parameters if name not in stored and CLASSIFIER not in name]
    if missing or stored.keys() - parameters.keys():
        raise ValueError(f"{[*missing, *sorted(stored.keys() - parameters.keys())][0]!r} is only in one of the two")
    for name, value in stored.items():
        place = parameters[name]
        if name.endswith(UP):
            place.zero_()
            place[:, : value.shape[1]].copy_(value)
        elif name.endswith(DOWN):
            place[: len(value)].copy_(value)
        else:
            place.copy_(value)
