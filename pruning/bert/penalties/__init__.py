"""Penalties on importance factors, one module each; a new one is a file and a line here.

A module has `START`, what a factor's parameter begins with; ``gate(alpha, training)``, the multiplier of each unit; and
``penalty(alpha)``, a layer's share of the loss, a scalar. Names can be looked up without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from pruning.errors import ConfigError

if TYPE_CHECKING:
    import torch

PENALTIES = {
    "log": "pruning.bert.penalties.log",
    "l1": "pruning.bert.penalties.l1",
    "l0": "pruning.bert.penalties.l0",
}


class Penalty(Protocol):
    """What a penalty's module has."""

    START: float

    def gate(self, alpha: torch.Tensor, training: bool) -> torch.Tensor:
        """The multiplier of each unit, ``(units,)``; exactly 1 at `START` outside of training."""
        ...

    def penalty(self, alpha: torch.Tensor) -> torch.Tensor:
        """A layer's share of the loss, a scalar (before it is multiplied by lambda)."""
        ...


def penalty_of(name: str) -> Penalty:
    """A penalty by name.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in PENALTIES:
        raise ConfigError(f"penalty {name!r:.40}: expected one of {', '.join(PENALTIES)}")
    return cast(Penalty, import_module(PENALTIES[name]))
