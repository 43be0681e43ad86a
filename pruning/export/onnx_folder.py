"""A folder that ONNX Runtime answers from, without torch: the graph, its tokenizer, and a short reader.

What is written is tried at once, by that reader, beside the network in torch; how alike they answer is stored.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from pruning.errors import ConfigError, MeasureError
from pruning.export.parity import Parity, compare
from pruning.export.tokenizer import longest_input, write_definition
from pruning.export.wanted import Wanted
from pruning.measure.cost import size_on_disk
from pruning.measure.logits import predict_logits
from pruning.measure.network import Network
from pruning.records import Count, Positive, Record, to_plain
from pruning.variants import FLOAT, INT8
from pruning.version import VERSION

MODEL, SETTINGS, READER = "model.onnx", "network.json", "predict.py"
SUMMARY = "answers where onnxruntime, tokenizers and numpy are, without torch (--int8: in int8)"
PRECISIONS = (FLOAT, INT8)
NEEDS, REQUIREMENTS, TRIES = ("onnx", "onnxruntime"), "requirements-onnx.txt", True
LIBRARIES = ("torch", *NEEDS, "tokenizers")


class Described(Record, frozen=True, kw_only=True):
    """What ``network.json`` says.

    Attributes:
        labels: words in the order of the logits; None for a score.
        is_pair: whether it reads two texts.
        max_length: most tokens of a text (or pair), special ones included.
        inputs: names of the graph's inputs, (batch, tokens) int64 each.
        output: name of its output, (batch, labels) float32.
        pad_id: what shorter texts of a batch are filled with.
        precision: of linear layers and tables.
        opset: of ONNX; operators of onnxruntime's own stand beside it.
        nodes: how many of which kind.
        versions: of what wrote it.
        parity: how it answers beside the network in torch; None while that is found out.
    """

    labels: tuple[str, ...] | None
    is_pair: bool
    max_length: Positive
    inputs: tuple[str, ...]
    output: str
    pad_id: Count
    precision: str
    opset: Positive
    nodes: dict[str, int]
    versions: dict[str, str]
    parity: Parity | None = None


def write(network: Any, tokenizer: Any, folder: Path, wanted: Wanted) -> None:
    """Write everything but the card into an empty folder.

    Raises:
        ConfigError: there are no texts to try it on.
        MeasureError: a network that has no place here, or answers otherwise than in torch.
        BackboneError: a tokenizer that is not a fast one.
    """
    from pruning.export.onnx_graph import INPUTS, OPSET, OUTPUT
    from pruning.export.reader import Reader

    trial = wanted.trial
    if trial is None:
        raise ConfigError("format onnx: no texts to try the network on, expected some")
    graph = _write_network(network, tokenizer, folder, wanted.precision)
    (folder / READER).write_text((Path(__file__).parent / "reader.py").read_text(encoding="utf-8"), encoding="utf-8")
    found = {library: importlib.metadata.version(library) for library in LIBRARIES}
    described = Described(
        labels=trial.task.labels,
        is_pair=trial.task.is_pair,
        max_length=longest_input(tokenizer, network.config),
        inputs=INPUTS,
        output=OUTPUT,
        pad_id=tokenizer.pad_token_id or 0,
        precision=wanted.precision,
        opset=OPSET,
        nodes=dict(sorted(Counter(node.op_type for node in graph.graph.node).items())),
        versions={"slimviz": VERSION, "python": platform.python_version(), **found},
    )
    _write(described, folder)
    texts, pairs = trial.examples.texts, trial.examples.pairs
    original = predict_logits(Network(network, tokenizer, described.max_length), trial.examples)
    parity = compare(trial, Reader(folder).logits(texts, pairs), original)
    if wanted.precision == FLOAT:
        parity.require()
    _write(described.replace(parity=parity), folder)


def size_of(network: Any, tokenizer: Any, precision: str) -> int:
    """Bytes of graph and tokenizer as `write` writes them: what differs from network to network, and by precision."""
    with TemporaryDirectory(prefix="slimviz-") as scratch:
        _write_network(network, tokenizer, Path(scratch), precision)
        return size_on_disk(scratch)


def tried(folder: Path) -> Parity | None:
    """How an exported folder answered when it was tried."""
    return msgspec.json.decode((folder / SETTINGS).read_bytes(), type=Described).parity


def loading(network: Any, name: str, *, is_pair: bool) -> str:
    """Markdown that says how a folder of that name is asked."""
    texts = ("first text", "second text") if is_pair else ("a text",)
    call, typed = ", ".join(f'["{text}"]' for text in texts), " ".join(f'"{text}"' for text in texts)
    return f"""\
```python
import sys

sys.path.insert(0, {json.dumps(name)})
from predict import Reader

Reader({json.dumps(name)}).answer({call})
```

`{READER}` is short enough to be read first; it needs onnxruntime, tokenizers and numpy alone, and also answers in a
shell: `python {READER} {typed}`. `{MODEL}` reads token ids, `{SETTINGS}` says how (inputs,
length, labels), and with which versions it was written. Other scores than those below are of the network in torch."""


def card(network: Any, loading: str) -> str:
    """Markdown for a network of which nothing is known but itself."""
    return f"# A BERT classifier for ONNX Runtime\n\nWritten by SlimViz {VERSION}.\n\n{loading}\n"


def as_slim(network: Any) -> Any:
    """A network as the slim one that a graph is written from.

    Raises:
        MeasureError: it is none, nor a plain BERT classifier.
    """
    from pruning.slimbert import SlimBertForSequenceClassification, dense_from_bert

    if isinstance(network, SlimBertForSequenceClassification):
        return network
    if type(network).__name__ != "BertForSequenceClassification":
        raise MeasureError(f"onnx: {type(network).__name__} cannot be written, expected a slim network or a plain BERT")
    return dense_from_bert(network)


def _write_network(network: Any, tokenizer: Any, folder: Path, precision: str) -> Any:
    """Write tokenizer and graph; returns the graph."""
    from pruning.export.onnx_graph import build_graph

    write_definition(tokenizer, folder)
    graph = build_graph(as_slim(network), is_int8=precision != FLOAT)
    (folder / MODEL).write_bytes(graph.SerializeToString())
    return graph


def _write(described: Described, folder: Path) -> None:
    content = json.dumps(to_plain(described), indent=2, ensure_ascii=False)
    (folder / SETTINGS).write_text(content + "\n", encoding="utf-8")
