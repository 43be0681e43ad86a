"""How well a latency table foretells a network's milliseconds: what `run --budget-ms` counts with, against the clock.

python -m benchmarks.latency_prediction sst2
python -m benchmarks.latency_prediction sst2 --runtime onnx-int8 --batch 32 --length 64

The table is measured as `run` measures it, then the stored networks are timed in turns of short blocks, in the same
runtime. Prints JSON: predicted and measured milliseconds and their ratio, a network. Only an otherwise idle machine
gives numbers worth quoting.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from pruning import load_study
from pruning.bert.model import read_weights
from pruning.errors import SlimVizError
from pruning.export.bound import in_onnx
from pruning.measure.blocks import Blocks, in_blocks
from pruning.measure.environment import current_commit, environment
from pruning.measure.latency_table import in_torch, latency_table
from pruning.measure.speed import made_up
from pruning.selection.latency import ONNX_INT8, RUNTIMES, TORCH
from pruning.slimbert import from_bert, shape_of
from pruning.study.networks import load_network
from pruning.variants import TEACHER


def measure(name: str, runtime: str, batch: int, length: int) -> dict[str, Any]:
    """Every stored network of a study, ready for JSON."""
    study = load_study(name)
    bind = in_torch if runtime == TORCH else partial(in_onnx, is_int8=runtime == ONNX_INT8)
    table = latency_table(study.shape, batch=batch, length=length, bind=bind, runtime=runtime)
    stored = [variant for variant in study.variants if study.weights(variant) is not None]
    networks = {str(variant): load_network(study, variant) for variant in stored}
    model = networks[str(TEACHER)].model  # as a slim network of all its widths, which an ONNX graph is written from
    networks[str(TEACHER)] = replace(networks[str(TEACHER)], model=from_bert(model, read_weights(model)).eval())
    calls = {name: bind(network, made_up(network, batch, length)) for name, network in networks.items()}
    taken = in_blocks(calls, Blocks())
    here = environment()
    found: dict[str, Any] = {"study": name, "runtime": runtime, "batch": batch, "length": length}
    found |= {"commit": current_commit(), "hardware": here.hardware, "threads": here.threads, "networks": {}}
    for key, network in networks.items():
        predicted, measured = table.milliseconds(shape_of(network.model.config)), float(np.median(taken[key]))
        found["networks"][key] = {
            "predicted_ms": round(predicted, 3),
            "measured_ms": round(measured, 3),
            "ratio": round(predicted / measured, 3),
        }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Predicted milliseconds against measured ones.")
    parser.add_argument("study", help="with weights, by name or folder")
    parser.add_argument("--runtime", choices=RUNTIMES, default=TORCH)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--length", type=int, default=32)
    options = parser.parse_args()
    try:
        report = measure(options.study, options.runtime, options.batch, options.length)
    except SlimVizError as error:
        print(f"latency_prediction: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
