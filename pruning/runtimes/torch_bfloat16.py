"""A network in bfloat16 throughout, in torch, on processors that have instructions for it."""

from __future__ import annotations

import copy

from pruning.measure.network import Network
from pruning.runtimes.kind import Opened, Runtime
from pruning.runtimes.torch_eager import reads


def instructions() -> tuple[str, ...]:
    """The processor's instructions for bfloat16 ("amx_bf16", "avx512_bf16", ...), as torch finds them."""
    import torch

    return tuple(sorted(name for name, there in torch.cpu.get_capabilities().items() if there and "bf16" in name))


def _missing() -> str | None:
    if instructions():
        return None
    return "bfloat16: torch.cpu.get_capabilities() finds no instructions for it on this processor"


def _opened(network: Network, threads: int) -> Opened:
    import torch

    return reads(copy.deepcopy(network.model).to(torch.bfloat16))


RUNTIME = Runtime("bfloat16", "torch, bfloat16", _missing, _opened, then="model.to(torch.bfloat16)")
