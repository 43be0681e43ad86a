"""Static int8 against the dynamic one that `export --int8` writes: same answers, same score, any faster?

python -m benchmarks.static_int8 sst2 cola mrpc stsb --data glue

The exported graph measures each linear layer's input as it comes. Here that is replaced by the range which training
texts had there, so that nothing is measured while answering. Prints a row of Markdown a network: how far from the same
graph in float32 both are on the validation split, what they score, and how many times as fast the static one is, in
turns of short blocks. Only an otherwise idle machine gives speed-ups worth quoting.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from benchmarks.sections import provenance
from benchmarks.speed import find_study
from pruning.data import Examples, default_source, load_examples
from pruning.export.onnx_folder import as_slim
from pruning.export.onnx_graph import build_graph
from pruning.export.reader import open_session
from pruning.measure.blocks import Blocks, in_blocks, speedup
from pruning.measure.fidelity import fidelity
from pruning.measure.metrics import metrics
from pruning.measure.network import Network
from pruning.measure.speed import made_up, real_texts
from pruning.study import Study
from pruning.study.networks import load_network
from pruning.training.prepare import training_rows

ROWS, BATCH, SEED = 512, 32, 0
CODES = 255  # the largest one of an input
MEASURED = "DynamicQuantizeLinear"
Batch = Mapping[str, np.ndarray]


def ranges(graph: Any, batches: Sequence[Batch]) -> np.ndarray:
    """Lowest and highest value at each place that a graph measures, over all batches: (places, 2) float64."""
    tapped = onnx.ModelProto()
    tapped.CopyFrom(graph)
    for node in graph.graph.node:
        if node.op_type == MEASURED:
            tapped.graph.output.append(helper.make_tensor_value_info(node.output[1], TensorProto.FLOAT, None))
            tapped.graph.output.append(helper.make_tensor_value_info(node.output[2], TensorProto.UINT8, None))
    session: Any = open_session(tapped.SerializeToString())
    found = []
    for batch in batches:
        values = [float(value) for value in session.run(None, batch)[1:]]
        places = zip(values[::2], values[1::2], strict=True)
        found.append([(-zero * scale, (CODES - zero) * scale) for scale, zero in places])
    by_batch = np.array(found)
    return np.stack([by_batch[..., 0].min(0), by_batch[..., 1].max(0)], axis=1)


def static(graph: Any, found: np.ndarray) -> Any:
    """The graph with these ranges in place of measuring."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(graph)
    del fixed.graph.node[:]
    places = iter(found)
    for node in graph.graph.node:
        if node.op_type == MEASURED:
            low, high = next(places)
            scale = max((high - low) / CODES, np.finfo(np.float32).tiny)
            zero = np.clip(np.rint(-low / scale), 0, CODES)
            fixed.graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), node.output[1]))
            fixed.graph.initializer.append(numpy_helper.from_array(np.array(zero, np.uint8), node.output[2]))
            node = helper.make_node("QuantizeLinear", [node.input[0], *node.output[1:]], [node.output[0]])
        fixed.graph.node.append(node)
    return fixed


def batches_of(network: Network, examples: Examples, batch: int) -> list[Batch]:
    """Texts as a graph reads them."""
    return [
        {name: values.numpy() for name, values in one.items()}
        for one in real_texts(network, examples, batch, len(examples))
    ]


def row(study: Study, variant: str, source: str) -> str:
    """A network's row."""
    task, network = study.task, load_network(study, variant)
    dynamic = build_graph(as_slim(network.model), is_int8=True)
    known = training_rows(load_examples(task, "train", source), ROWS, SEED)
    graphs = {
        "float": build_graph(as_slim(network.model)),
        "dynamic": dynamic,
        "static": static(dynamic, ranges(dynamic, batches_of(network, known, BATCH))),
    }
    threads = torch.get_num_threads()
    sessions: dict[str, Any] = {
        name: open_session(graph.SerializeToString(), threads) for name, graph in graphs.items()
    }
    examples = load_examples(task, task.validation[0], source)
    texts = batches_of(network, examples, 1)
    logits = {name: np.concatenate([one.run(None, text)[0] for text in texts]) for name, one in sessions.items()}
    cells = [task.title, variant, f"{metrics(task, logits['float'], examples.labels)[task.main_metric]:.3f}"]
    for name in ("dynamic", "static"):
        score = metrics(task, logits[name], examples.labels)[task.main_metric]
        cells.append(f"{score:.3f}, {fidelity(task, logits[name], logits['float']).divergence:.4f}")
    for batch in (BATCH, 1):
        inputs = {name: values.numpy() for name, values in made_up(network, batch, 32).items()}
        taken = in_blocks({name: partial(_answer, sessions[name], inputs) for name in ("dynamic", "static")}, Blocks())
        found = speedup(taken["dynamic"], taken["static"])
        cells.append(f"{found.times:.2f} ({found.low:.2f} to {found.high:.2f})")
    return f"| {' | '.join(cells)} |"


def _answer(session: Any, inputs: Batch, _: int) -> Any:
    return session.run(None, inputs)


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser(description="Static int8 against dynamic.")
    parser.add_argument("studies", nargs="+", help="folders of studies, or names of bundled ones")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--variants", nargs="+", default=["slim-10"])
    options = parser.parse_args()
    print("| Task | Network | Float32 | Dynamic: score, divergence | Static | Faster, batch 32 | Batch 1 |")
    for name in options.studies:
        for variant in options.variants:
            print(row(find_study(name), variant, options.data), flush=True)
    print(provenance("python -m benchmarks.static_int8", "validation splits"))


if __name__ == "__main__":
    main()
