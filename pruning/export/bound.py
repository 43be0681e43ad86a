"""Networks computed by ONNX Runtime without a folder in between: for measurements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pruning.export import Wanted, check_wanted
from pruning.export.onnx_folder import as_slim
from pruning.measure.latency import Call
from pruning.measure.network import Network
from pruning.variants import FLOAT, INT8


def session_of(network: Network, threads: int, *, is_int8: bool) -> Any:
    """A session of a network as `export --format onnx` would have it computed.

    Args:
        network: slim or a plain BERT, on the CPU.
        threads: of the processor.
        is_int8: whether its matrices are.

    Raises:
        ConfigError: onnx or onnxruntime is missing.
        MeasureError: the network cannot be written as a graph.
    """
    check_wanted(Wanted("onnx", INT8 if is_int8 else FLOAT))
    from pruning.export.onnx_graph import build_graph
    from pruning.export.reader import open_session

    return open_session(build_graph(as_slim(network.model), is_int8=is_int8).SerializeToString(), threads)


def in_onnx(network: Network, inputs: Mapping[str, Any], *, is_int8: bool) -> Call:
    """A call that computes an answer, with as many threads as torch uses; see `session_of`."""
    import torch

    session = session_of(network, torch.get_num_threads(), is_int8=is_int8)
    arrays = {name: values.numpy() for name, values in inputs.items()}
    return lambda _: session.run(None, arrays)
