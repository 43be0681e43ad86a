"""The runtimes, by name, in the order of their rows; a new one is a file and a line here."""

from __future__ import annotations

from pruning.runtimes import onnx_runtime, torch_bfloat16, torch_compiled, torch_eager
from pruning.runtimes.kind import Runtime

REFERENCE = torch_eager.RUNTIME  # what the others are compared with
RUNTIMES: dict[str, Runtime] = {
    runtime.name: runtime
    for runtime in (
        REFERENCE,
        torch_compiled.RUNTIME,
        torch_bfloat16.RUNTIME,
        onnx_runtime.FLOAT32,
        onnx_runtime.IN_INT8,
    )
}
