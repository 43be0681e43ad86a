"""What a network may compute with: torch, or, on the CPU and where it is installed, ONNX Runtime in float32 or int8.

A graph is written from the network in memory and never touches the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

from pruning.export import format_of
from pruning.selection import latency
from pruning.variants import FLOAT, INT8

FORMAT = "onnx"


@dataclass(frozen=True)
class Runtime:
    """What a network computes with.

    Attributes:
        name: in the URL and in rows.
        title: as printed.
        precision: of the graph; None for torch, which needs none.
    """

    name: str
    title: str
    precision: str | None = None


TORCH = Runtime(latency.TORCH, "torch")
RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        TORCH,
        Runtime(latency.ONNX, "ONNX Runtime", FLOAT),
        Runtime(latency.ONNX_INT8, "ONNX Runtime int8", INT8),
    )
}


def runtimes(device: str) -> tuple[list[Runtime], str | None]:
    """Those that a network can compute with on a device, and why the others cannot be had, as a sentence."""
    if device != "cpu":
        return [TORCH], "ONNX Runtime is offered on the CPU alone."
    needs = format_of(FORMAT)
    if any(find_spec(package) is None for package in needs.NEEDS):
        return [TORCH], f"ONNX Runtime is not installed here: pip install -r {needs.REQUIREMENTS}"
    return list(RUNTIMES.values()), None


class ExportedModel:
    """A network's graph in ONNX Runtime, called as the network in torch that it was written from.

    Its threads do not spin: they would take the processor from the network that is timed in turns with it.

    Args:
        model: a teacher or slim network in torch, on the CPU.
        precision: of the graph.
        threads: of the processor.

    Attributes:
        config: the network's own.

    Raises:
        ConfigError: onnx or onnxruntime cannot be loaded.
        MeasureError: the network cannot be written as a graph.
    """

    def __init__(self, model: Any, precision: str, threads: int) -> None:
        from pruning.export.bound import session_of

        self.config = model.config
        self._session = session_of(model, precision, threads)

    def __call__(self, **inputs: Any) -> SimpleNamespace:
        """`logits`, (texts, labels), of what the network in torch takes, (texts, tokens) each."""
        import torch

        arrays = {name: values.numpy() for name, values in inputs.items()}
        (logits,) = self._session.run(None, arrays)
        return SimpleNamespace(logits=torch.from_numpy(logits))
