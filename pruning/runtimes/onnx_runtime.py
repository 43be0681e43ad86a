"""A network as an exported folder's own reader runs it: ONNX Runtime, in float32 or int8."""

from __future__ import annotations

from functools import partial

from pruning.errors import ConfigError
from pruning.export import Wanted, check_wanted
from pruning.export.bound import session_of
from pruning.export.onnx_folder import size_of
from pruning.measure.network import Network
from pruning.runtimes.kind import Answer, Inputs, Opened, Runtime
from pruning.selection.latency import ONNX, ONNX_INT8
from pruning.variants import FLOAT, INT8


def _missing() -> str | None:
    try:
        check_wanted(Wanted("onnx"))
    except ConfigError as error:
        return str(error)
    return None


def _opened(precision: str, network: Network, threads: int) -> Opened:
    session = session_of(network.model, precision, threads)

    def bound(inputs: Inputs) -> Answer:
        arrays = {name: values.numpy() for name, values in inputs.items()}
        return lambda: session.run(None, arrays)[0]

    return bound


def _size(precision: str, network: Network) -> int:
    return size_of(network.model, network.tokenizer, precision)


FLOAT32 = Runtime(ONNX, "ONNX Runtime", _missing, partial(_opened, FLOAT), partial(_size, FLOAT))
IN_INT8 = Runtime(ONNX_INT8, "ONNX Runtime, int8", _missing, partial(_opened, INT8), partial(_size, INT8))
