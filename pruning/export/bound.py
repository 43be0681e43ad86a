"""Networks computed by ONNX Runtime without a folder in between: for the measured table of a latency budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pruning.export import Wanted, check_wanted
from pruning.measure.latency import Call
from pruning.measure.network import Network
from pruning.variants import FLOAT, INT8


def in_onnx(network: Network, inputs: Mapping[str, Any], *, is_int8: bool) -> Call:
    """A call that computes a slim network's answer as `export --format onnx` would have it computed.

    Args:
        network: slim, on the CPU.
        inputs: of one batch.
        is_int8: whether its matrices are.

    Raises:
        ConfigError: onnx or onnxruntime is missing.
    """
    import torch

    check_wanted(Wanted("onnx", INT8 if is_int8 else FLOAT))
    from pruning.export.onnx_graph import build_graph
    from pruning.export.reader import open_session

    graph = build_graph(network.model, is_int8=is_int8)
    session = open_session(graph.SerializeToString(), torch.get_num_threads())
    arrays = {name: values.numpy() for name, values in inputs.items()}
    return lambda _: session.run(None, arrays)
