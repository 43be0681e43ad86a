"""Networks computed by ONNX Runtime without a folder in between: for a latency budget's table, and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pruning.export import Wanted, check_wanted
from pruning.measure.latency import Call
from pruning.measure.network import Network
from pruning.variants import FLOAT, INT8


def session_of(model: Any, precision: str, threads: int) -> Any:
    """A network in ONNX Runtime, as `export --format onnx` would have it computed; it never touches the disk.

    Args:
        model: slim, or a plain BERT classifier, on the CPU.
        precision: of its matrices.
        threads: of the processor.

    Raises:
        ConfigError: onnx or onnxruntime is missing.
        MeasureError: the network has no place in a graph.
    """
    check_wanted(Wanted("onnx", precision))
    from pruning.export.onnx_folder import as_slim
    from pruning.export.onnx_graph import build_graph
    from pruning.export.reader import open_session

    graph = build_graph(as_slim(model), is_int8=precision != FLOAT)
    return open_session(graph.SerializeToString(), threads)


def in_onnx(network: Network, inputs: Mapping[str, Any], *, is_int8: bool) -> Call:
    """A call that computes a network's answer in ONNX Runtime; raises as `session_of`.

    Args:
        network: as of `session_of`.
        inputs: of one batch.
        is_int8: whether its matrices are.
    """
    import torch

    session = session_of(network.model, INT8 if is_int8 else FLOAT, torch.get_num_threads())
    arrays = {name: values.numpy() for name, values in inputs.items()}
    return lambda _: session.run(None, arrays)
