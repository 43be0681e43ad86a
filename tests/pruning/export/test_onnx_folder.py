"""A folder for ONNX Runtime: whole or not there, tried beside torch as it is written, its parts what they say."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pruning import slimbert
from pruning.data.examples import Examples, unlabelled
from pruning.data.tasks import get_task
from pruning.errors import ConfigError, MeasureError
from pruning.export import Trial, Wanted, onnx_graph, write_export
from pruning.export.onnx_folder import tried
from pruning.export.parity import Parity
from pruning.export.reader import Reader
from pruning.measure.logits import predict_logits
from pruning.measure.network import Network
from pruning.variants import FLOAT, INT8


def wanted(task: str, examples: Examples, precision: str = FLOAT) -> Wanted:
    return Wanted("onnx", precision, Trial(get_task(task), examples))


@pytest.fixture
def network(make_bert: Callable[..., Any]) -> Any:
    return slimbert.dense_from_bert(make_bert(seed=4))


def test_what_a_folder_holds(tmp_path: Path, network: Any, tiny_tokenizer: Any, tiny_examples: Examples) -> None:
    folder = write_export(network, tiny_tokenizer, tmp_path / "out", wanted=wanted("sst2", tiny_examples))
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["README.md", "model.onnx", "network.json", "predict.py", "tokenizer.json"]
    said = json.loads((folder / "network.json").read_text())
    assert (said["labels"], said["is_pair"], said["precision"]) == (["negative", "positive"], False, "float32")
    assert said["max_length"] == network.config.max_position_embeddings
    model = onnx.load(folder / "model.onnx")
    assert [value.name for value in model.graph.input] == said["inputs"]
    assert [value.name for value in model.graph.output] == [said["output"]]
    assert {one.domain: one.version for one in model.opset_import} == {"": said["opset"], "com.microsoft": 1}
    assert sum(said["nodes"].values()) == len(model.graph.node)
    for library in ("torch", "onnx", "onnxruntime", "tokenizers"):
        assert importlib.metadata.version(library) == said["versions"][library]
    parity = tried(folder)
    assert parity is not None
    assert (parity.texts, parity.origin, parity.same_answer) == (len(tiny_examples), "tiny examples", 1.0)
    assert 0 <= parity.largest_difference < 1e-4
    assert parity.metrics == parity.original
    card = (folder / "README.md").read_text()
    assert str(parity) in card
    assert str(tmp_path) not in card + json.dumps(said)
    compile(card.partition("```python\n")[2].partition("```")[0], "card", "exec")


@pytest.mark.parametrize("precision", [FLOAT, INT8])
def test_the_reader_answers_as_torch_does(
    tmp_path: Path, make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_pairs: Examples, precision: str
) -> None:
    network = slimbert.dense_from_bert(make_bert(seed=2, num_labels=1))
    expected = predict_logits(Network(network, tiny_tokenizer, 32), tiny_pairs)
    folder = write_export(network, tiny_tokenizer, tmp_path / "out", wanted=wanted("stsb", tiny_pairs, precision))
    found = Reader(folder, threads=1).logits(tiny_pairs.texts, tiny_pairs.pairs)
    bound = 1e-4 if precision == FLOAT else 0.1 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=bound, rtol=0)
    parity = tried(folder)
    assert parity is not None
    assert parity.same_answer is None
    assert parity.correlation is not None
    assert parity.correlation > (0.9999 if precision == FLOAT else 0.9)
    assert parity.largest_difference == pytest.approx(np.abs(found - expected).max(), abs=1e-6)
    assert json.loads((folder / "network.json").read_text())["precision"] == precision


def test_longer_texts_are_cut_as_in_torch(tmp_path: Path, network: Any, tiny_tokenizer: Any) -> None:
    tiny_tokenizer.model_max_length = 9
    texts = unlabelled(["the film is very good and not one of the bad ones", "soup", ""], None, "texts")
    folder = write_export(network, tiny_tokenizer, tmp_path / "out", wanted=wanted("sst2", texts))
    expected = predict_logits(Network(network, tiny_tokenizer, 9), texts)
    np.testing.assert_allclose(Reader(folder).logits(texts.texts), expected, atol=1e-4, rtol=0)
    assert json.loads((folder / "network.json").read_text())["parity"]["metrics"] is None


def test_a_graph_that_answers_otherwise_is_refused(
    tmp_path: Path,
    network: Any,
    tiny_tokenizer: Any,
    tiny_examples: Examples,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = onnx_graph.build_graph

    def broken(slim: Any, *, is_int8: bool) -> Any:
        """As if the classifier's labels had been mixed up."""
        model = build(slim, is_int8=is_int8)
        names = model.graph.node[-1].input[1:]
        for stored in model.graph.initializer:
            if stored.name in names:
                values = onnx.numpy_helper.to_array(stored)
                stored.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values[::-1]), stored.name))
        return model

    monkeypatch.setattr(onnx_graph, "build_graph", broken)
    with pytest.raises(MeasureError, match=r"the same answer to 0\.00% of them.*expected .* at least 99\.5%"):
        write_export(network, tiny_tokenizer, tmp_path / "out", wanted=wanted("sst2", tiny_examples))
    assert [path.name for path in tmp_path.iterdir() if path.name != "tiny_tokenizer"] == []


def test_what_cannot_be_written(
    tmp_path: Path, network: Any, tiny_tokenizer: Any, tiny_examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, right = tmp_path / "out", wanted("sst2", tiny_examples)
    with pytest.raises(ConfigError, match="format onnx: no texts to try the network on"):
        write_export(network, tiny_tokenizer, place, wanted=Wanted("onnx"))
    with pytest.raises(MeasureError, match="onnx: Linear cannot be written, expected a slim network or a plain BERT"):
        write_export(network.classifier, tiny_tokenizer, place, card="", wanted=right)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with pytest.raises(ConfigError) as caught:
        write_export(network, tiny_tokenizer, place, wanted=right)
    assert str(caught.value) == ("format onnx: onnxruntime is missing, expected pip install -r requirements-onnx.txt")
    assert not place.exists()


def test_bounds_of_a_network_in_float32() -> None:
    kept: dict[str, Any] = {"origin": "texts", "texts": 1000, "largest_difference": 0.5}
    Parity(same_answer=0.995, correlation=None, **kept).require()
    Parity(same_answer=None, correlation=0.9999, **kept).require()
    for same, correlation in ((0.994, None), (None, 0.9998)):
        with pytest.raises(MeasureError, match=r"tried on 1,000 texts \(texts\): .*; expected "):
            Parity(same_answer=same, correlation=correlation, **kept).require()
