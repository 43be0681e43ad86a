"""A network as torch runs it when nothing is asked for: float32, one operation after another."""

from __future__ import annotations

from typing import Any

from pruning.measure.network import Network
from pruning.runtimes.kind import Inputs, Opened, Runtime
from pruning.selection.latency import TORCH


def reads(model: Any) -> Opened:
    """A torch module that gives logits of inputs."""

    def bound(inputs: Inputs) -> Any:
        return lambda: model(**inputs).logits

    return bound


def _opened(network: Network, threads: int) -> Opened:
    return reads(network.model)


RUNTIME = Runtime(TORCH, "torch", lambda: None, _opened)
