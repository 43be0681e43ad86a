"""Quantisation: the same network in smaller numbers."""

from __future__ import annotations

import warnings
from typing import Any

from pruning.errors import MeasureError


def dynamic_int8(model: Any) -> Any:
    """A copy of a dense network whose linear layers compute in int8 (torch's dynamic quantisation), CPU only.

    For comparison: what a user who does not prune might do instead.

    Raises:
        MeasureError: if this torch cannot do it.
    """
    import torch

    with warnings.catch_warnings():
        # torch 2.13 announces that this moves to torchao, and so do the functions that it calls.
        warnings.filterwarnings("ignore", message="torch.ao.quantization is deprecated", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        try:
            from torch.ao.quantization import quantize_dynamic

            return quantize_dynamic(model.cpu().eval(), {torch.nn.Linear}, dtype=torch.qint8)
        except (ImportError, RuntimeError, NotImplementedError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise MeasureError(f"dynamic int8: torch {torch.__version__} cannot do it here ({reason})") from None


def int8_weights(model: Any) -> frozenset[str]:
    """Names of the tensors that `dynamic_int8` stores in a byte a value: the matrices of linear layers."""
    import torch

    return frozenset(f"{name}.weight" for name, part in model.named_modules() if type(part) is torch.nn.Linear)
