"""A network as an exported folder's own reader runs it: ONNX Runtime, in float32 or int8."""

from __future__ import annotations

from functools import partial

from pruning.errors import ConfigError
from pruning.export import Wanted, check_wanted, write_export
from pruning.measure.network import Network
from pruning.runtimes.kind import Answer, Inputs, Opened, Place, Runtime
from pruning.variants import FLOAT, INT8


def _missing() -> str | None:
    try:
        check_wanted(Wanted("onnx"))
    except ConfigError as error:
        return str(error)
    return None


def _opened(precision: str, network: Network, place: Place) -> Opened:
    """Written once a network and precision, read as a user would."""
    from pruning.export.reader import Reader

    folder = place.folder / precision
    if not folder.is_dir():
        network.tokenizer.model_max_length = network.max_length
        write_export(network.model, network.tokenizer, folder, wanted=Wanted("onnx", precision, place.trial))
    session = Reader(folder, place.threads).session

    def bound(inputs: Inputs) -> Answer:
        arrays = {name: values.numpy() for name, values in inputs.items()}
        return lambda: session.run(None, arrays)[0]

    return bound


FLOAT32 = Runtime("onnx", "ONNX Runtime", _missing, partial(_opened, FLOAT))
IN_INT8 = Runtime("onnx-int8", "ONNX Runtime, int8", _missing, partial(_opened, INT8))
