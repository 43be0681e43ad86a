"""ONNX nodes and their constants, in float32 or with linear layers and tables in int8.

In int8, a linear layer quantises its input as it comes (one scale a tensor) and holds weights with a scale for each
output; a table holds a scale for each column. Everything else computes in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

CONTRIB = "com.microsoft"  # onnxruntime's own operators
LARGEST_CODE = 127


class Graph:
    """Nodes and constants; every method that adds a node returns the name of its output.

    Args:
        is_int8: whether linear layers and tables hold int8.
    """

    def __init__(self, is_int8: bool) -> None:
        self.is_int8 = is_int8
        self.nodes: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._quantised: dict[str, tuple[str, str, str]] = {}

    def node(self, kind: str, *inputs: str, domain: str = "", outputs: Sequence[str] = (), **attributes: Any) -> str:
        """Add a node; of several outputs the first is returned."""
        name = f"{kind}_{len(self.nodes)}"
        outputs = outputs or (name,)
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, domain=domain, **attributes))
        return outputs[0]

    def constant(self, values: torch.Tensor | np.ndarray) -> str:
        """The name of these values, the same for the same ones: what layers share is stored once."""
        array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
        key = (array.dtype.str, array.shape, array.tobytes())
        return self._constants.setdefault(key, f"constant_{len(self._constants)}")

    def numbers(self, *values: int) -> str:
        """A constant list of int64."""
        return self.constant(np.array(values, dtype=np.int64))

    def reshape(self, rows: str, *shape: int) -> str:
        """The same values in another shape; -1 is what is left."""
        return self.node("Reshape", rows, self.numbers(*shape))

    def linear(self, rows: str, weight: torch.Tensor, bias: torch.Tensor | None) -> str:
        """(rows, inputs) -> (rows, outputs), of weights (outputs, inputs) and a bias (outputs,)."""
        matrix = weight.detach().cpu().numpy().T
        biases = () if bias is None else (self.constant(bias),)
        if not self.is_int8:
            return self.node("Gemm", rows, self.constant(matrix), *biases)
        if rows not in self._quantised:
            names = (f"{rows}_codes", f"{rows}_scale", f"{rows}_zero")
            self.node("DynamicQuantizeLinear", rows, outputs=names)
            self._quantised[rows] = names
        codes, scale, zero = self._quantised[rows]
        own, own_scale = quantise(matrix)
        inputs = (codes, self.constant(own), scale, self.constant(own_scale), zero, "", *biases)
        return self.node("MatMulIntegerToFloat", *inputs, domain=CONTRIB)

    def table(self, weight: torch.Tensor, read: Callable[[str], str]) -> str:
        """What `read` takes of a table's rows, in float32."""
        if not self.is_int8:
            return read(self.constant(weight))
        codes, scale = quantise(weight.detach().cpu().numpy())
        return self.node("DequantizeLinear", read(self.constant(codes)), self.constant(scale), axis=-1)

    def norm(self, rows: str, layer: nn.LayerNorm) -> str:
        """LayerNorm over the last width."""
        return self.node(
            "LayerNormalization", rows, self.constant(layer.weight), self.constant(layer.bias), epsilon=layer.eps
        )

    def initialisers(self) -> list[TensorProto]:
        """All constants."""
        return [
            numpy_helper.from_array(np.frombuffer(content, dtype=kind).reshape(shape), name)
            for (kind, shape, content), name in self._constants.items()
        ]


def quantise(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) float32 -> int8 codes of the same shape, and a scale (columns,): codes * scale is the matrix."""
    scale = np.abs(matrix).max(axis=0) / LARGEST_CODE
    scale[scale == 0] = 1.0  # a column of zeros
    return np.rint(matrix / scale).astype(np.int8), scale.astype(np.float32)
