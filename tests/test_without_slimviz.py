"""Exported networks answer alike where SlimViz is not: in a fresh virtual environment of torch and transformers alone.

And those for ONNX Runtime in another one, of onnxruntime, tokenizers and numpy. Installing these anew would take
minutes and a network, so an environment is given links to this one's libraries and to all that they need, and nothing
else of it. Code that an export brings along runs there only.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.export_versions import PAIRS, STRANGERS, TEXTS, Question, ask, link_distributions, make_environment
from pruning import load_study, slimbert
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import Masks, Site
from pruning.compress.shrink import shrink
from pruning.data import unlabelled
from pruning.export import Trial, Wanted, write_export
from pruning.export.reader import Reader
from pruning.measure.logits import predict_logits
from pruning.measure.network import Network
from pruning.variants import FLOAT, INT8
from tests.factories.random_masks import random_masks

PLAIN = ("the film was good", "x", "a very very bad soup, not one of the good ones")
SECOND = ("one is bad", "the soup is good", "y")

# Runs where torch is not: a folder's reader, and which modules should not be there and are.
ASK_READER = """
import importlib, json, sys
folder, texts, pairs, strangers = json.loads(sys.argv[1])
found = []
for name in strangers:
    try:
        importlib.import_module(name)
        found.append(name)
    except ImportError:
        pass
sys.path.insert(0, folder)
from predict import Reader
print(json.dumps([found, Reader(folder, threads=1).logits(texts, pairs).tolist()]))
"""


def uneven(shape: Any) -> Masks:
    """Heads of different widths, reads everywhere; layer 0 without FFN, layer 1 without heads, residual width cut."""
    masks = random_masks(shape, 0.7, seed=5)
    context, ffn = masks.attention_context.copy(), masks.ffn_hidden.copy()
    context[0], context[1], ffn[0] = [True, False, True, False, True, True, True, False], False, False
    return masks.with_site(Site.ATTENTION_CONTEXT, context).with_site(Site.FFN_HIDDEN, ffn)


Networks = dict[str, tuple[Any, Any, Question]]


@pytest.fixture(scope="module")
def networks(make_bert: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """Networks with their tokenizers, exported: a stored one, its teacher, and tiny ones cut in every way."""
    from transformers import BertTokenizer

    from tests.conftest import write_vocabulary

    place = tmp_path_factory.mktemp("exported")
    vocabulary = write_vocabulary(place / "vocabulary")
    study = load_study("mrpc")
    found = {name: (study.network(name), study.tokenizer(name), TEXTS, PAIRS) for name in ("slim-10", "teacher")}
    for name, settings, cuts, second in (
        ("uneven", {}, {}, SECOND),
        ("factored", {"num_labels": 1, "hidden_act": "relu", "layer_norm_eps": 1e-5}, {"rank": 3}, None),
        ("short", {"num_labels": 3}, {"positions": 9, "pooler": np.arange(8) < 3}, None),
    ):
        bert = make_bert(**settings)
        shape = bert_shape(bert)
        labels = {number: f"word {number}" for number in range(shape.labels)}
        problem = "regression" if shape.labels == 1 else "single_label_classification"
        weights = shrink(read_weights(bert), shape, uneven(shape), **cuts)
        slim = slimbert.from_weights(weights, id2label=labels, problem_type=problem, original=shape)
        found[name] = (slimbert.round_to_half(slim), BertTokenizer(vocab=vocabulary), PLAIN, second)
    questions: Networks = {}
    for name, (network, own, texts, second) in found.items():
        folder = write_export(network, own, place / name)
        own.model_max_length = json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"]
        questions[name] = (network, own, Question(folder, texts, second))
    return questions


@pytest.fixture(scope="module")
def answered(networks: Networks, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What they answer there, all in one process."""
    place = tmp_path_factory.mktemp("without")
    link_distributions(["torch", "transformers"], place / "shared")
    python = make_environment(place / "environment", place / "shared")
    (place / "home").mkdir()
    found = ask(python, [question for *_, question in networks.values()], place / "home")
    return found | {"answers": dict(zip(networks, found["answers"], strict=True))}


def test_the_environment_has_no_slimviz(answered: dict[str, Any]) -> None:
    assert {"pruning", "msgspec"} <= set(STRANGERS)
    assert answered["strangers"] == []


@pytest.mark.parametrize("name", ["slim-10", "teacher", "uneven", "factored", "short"])
def test_they_answer_alike(networks: Networks, answered: dict[str, Any], name: str) -> None:
    network, tokenizer, question = networks[name]
    found = answered["answers"][name]
    expected = question.answer(network, tokenizer)
    assert np.ptp(expected, axis=0).min() > 0  # the texts are told apart
    np.testing.assert_array_equal(np.array(found["batch"], dtype=np.float32), expected)  # to the bit
    for index, text in enumerate(question.texts):
        pair = None if question.pairs is None else [question.pairs[index]]
        alone = Question(question.folder, [text], pair).answer(network, tokenizer)
        np.testing.assert_array_equal(np.array(found["alone"][index], dtype=np.float32), alone[0])
    assert found["ids"] == tokenizer(list(question.texts), question.pairs and list(question.pairs))["input_ids"]
    assert found["ids, code not trusted"] == found["ids"]
    assert found["longest"] == tokenizer.model_max_length


@pytest.mark.parametrize("name", ["slim-10", "teacher", "uneven", "factored", "short"])
def test_they_are_what_they_say(networks: Networks, answered: dict[str, Any], name: str) -> None:
    network, *_ = networks[name]
    found = answered["answers"][name]
    own = type(network).__name__
    assert found["classes"] == [own, own.replace("ForSequenceClassification", "Model"), own, own]
    assert (found["dtypes"], found["finite"]) == (["torch.float32"], True)
    labels = network.config.id2label
    assert found["labels"] == {str(number): word for number, word in labels.items()}
    if len(labels) > 1:
        alone = [answer.index(max(answer)) for answer in found["alone"]]
        assert found["said"] == [labels[number] for number in alone]


@pytest.mark.parametrize(("variant", "precision"), [("slim-10", FLOAT), ("slim-10", INT8), ("teacher", FLOAT)])
def test_onnxruntime_tokenizers_and_numpy_are_enough(tmp_path: Path, variant: str, precision: str) -> None:
    study = load_study("mrpc")
    network, tokenizer, examples = study.network(variant), study.tokenizer(variant), unlabelled(TEXTS, PAIRS, "texts")
    tokenizer.model_max_length = 24
    wanted = Wanted("onnx", precision, Trial(study.task, examples))
    folder = write_export(network, tokenizer, tmp_path / "exported", wanted=wanted)
    link_distributions(["onnxruntime", "tokenizers", "numpy"], tmp_path / "shared")
    python = make_environment(tmp_path / "environment", tmp_path / "shared")
    strangers = [*STRANGERS, "torch", "transformers", "onnx"]
    asked = json.dumps([str(folder), TEXTS, PAIRS, strangers])
    command = [python, "-I", "-W", "error", "-c", ASK_READER, asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, logits = json.loads(done.stdout)
    assert found == []
    np.testing.assert_allclose(logits, Reader(folder, threads=1).logits(TEXTS, PAIRS), atol=1e-5, rtol=0)
    expected = predict_logits(Network(network, tokenizer, 24), examples)
    assert np.ptp(expected, axis=0).min() > 0.1
    if precision == FLOAT:
        np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)
