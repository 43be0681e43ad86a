"""The reader that an export brings needs nothing of torch or SlimViz, and spells as the network's own tokenizer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from pruning import load_study, slimbert
from pruning.data import Examples, encode, get_task, load_probe
from pruning.export import Trial, Wanted, reader, write_export
from pruning.export.reader import Reader
from pruning.export.tokenizer import write_definition
from pruning.shipped import shipped

SHIPPED = sorted(path.parent.name for path in shipped("studies").glob("*/study.json"))
# Imports of anything but the reader's own libraries fail, as where nothing else is installed.
BLOCKED = """
import json, runpy, sys
strangers = ("torch", "transformers", "pruning", "msgspec", "onnx", "safetensors", "scipy", "pandas")
sys.modules |= dict.fromkeys(strangers)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def folder(tmp_path: Path, make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_examples: Examples) -> Path:
    network = slimbert.dense_from_bert(make_bert(seed=4))
    wanted = Wanted("onnx", trial=Trial(get_task("sst2"), tiny_examples))
    return write_export(network, tiny_tokenizer, tmp_path / "out", wanted=wanted)


@pytest.fixture
def pair_folder(tmp_path: Path, make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_pairs: Examples) -> Path:
    network = slimbert.dense_from_bert(make_bert(seed=4, num_labels=1))
    wanted = Wanted("onnx", trial=Trial(get_task("stsb"), tiny_pairs))
    return write_export(network, tiny_tokenizer, tmp_path / "pairs", wanted=wanted)


def typed(folder: Path, *texts: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-W", "error", "-c", BLOCKED, str(folder / "predict.py"), *texts]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_the_modules_own_text(folder: Path) -> None:
    assert (folder / "predict.py").read_text() == Path(reader.__file__).read_text()


def test_it_runs_where_nothing_else_can_be_imported(folder: Path, pair_folder: Path) -> None:
    done = typed(folder, "the film is good")
    assert (done.returncode, done.stderr) == (0, "")
    (expected,) = Reader(folder).answer(["the film is good"])
    found = json.loads(done.stdout)
    assert found["label"] == expected["label"]
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
    done = typed(pair_folder, "the film is good", "the soup is bad")
    (score,) = Reader(pair_folder).answer(["the film is good"], ["the soup is bad"])
    assert json.loads(done.stdout) == pytest.approx(score, abs=1e-5)


def test_too_few_or_too_many_texts_get_one_line(folder: Path, pair_folder: Path) -> None:
    for done, expected in (
        (typed(folder, "one", "two"), "predict.py: 2 texts, expected 1\n"),
        (typed(folder), "predict.py: 0 texts, expected 1\n"),
        (typed(pair_folder, "one"), "predict.py: 1 texts, expected 2\n"),
    ):
        assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    with pytest.raises(ValueError, match="expected single texts"):
        Reader(folder).logits(["one"], ["two"])
    with pytest.raises(ValueError, match="expected pairs of texts"):
        Reader(pair_folder).logits(["one"])


def test_answers_are_the_softmax_of_logits_in_the_order_of_the_texts(folder: Path, tiny_examples: Examples) -> None:
    asked = Reader(folder)
    texts = tiny_examples.texts * 4  # several batches, lengths mixed
    logits = asked.logits(texts)
    alone = np.concatenate([asked.logits([text]) for text in tiny_examples.texts])
    np.testing.assert_allclose(logits, np.tile(alone, (4, 1)), atol=1e-5, rtol=0)
    assert np.ptp(alone, axis=0).min() > 0.01
    for answer, (no, yes) in zip(asked.answer(texts), logits.astype(float), strict=True):
        assert answer["probabilities"]["positive"] == pytest.approx(1 / (1 + np.exp(no - yes)))
        assert answer["label"] == ("positive" if yes > no else "negative")
        assert answer["probability"] == max(answer["probabilities"].values()) >= 0.5
    assert asked.answer([]) == []


@pytest.mark.parametrize("task", SHIPPED)
def test_it_spells_every_probe_text_as_the_networks_tokenizer(tmp_path: Path, task: str) -> None:
    study = load_study(task)
    examples, tokenizer = load_probe(study.task, "validation"), study.tokenizer("slim-10")
    write_definition(tokenizer, tmp_path)
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for longest in (128, 12):
        plain.enable_truncation(longest)
        pairs = examples.pairs
        both = list(examples.texts) if pairs is None else list(zip(examples.texts, pairs, strict=True))
        found, expected = plain.encode_batch(both), encode(tokenizer, examples, longest)
        assert [one.ids for one in found] == [ids.tolist() for ids in expected.input_ids]
        assert [one.type_ids for one in found] == [types.tolist() for types in expected.token_type_ids]
    assert expected.truncated > 0
