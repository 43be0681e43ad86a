"""`pruning.prune`: a classifier in memory or by name, texts with labels or without; and a study made the same way."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pruning
from pruning.errors import ConfigError, DataError, SlimVizError
from pruning.measure.cost import parameters_by_numel
from pruning.one_call import Slim
from pruning.variants import TEACHER
from tests.factories.own_data import made_up, scored_pairs
from tests.factories.quick_run import frozen_garbage
from tests.factories.tiny_backbone import make_tokenizer, write_classifier

QUICK = {"max_length": 16, "batch_size": 12, "recover.steps": 4, "precision": "float32"}
ROWS = 120


def model_in(folder: Path) -> Any:
    from transformers import BertForSequenceClassification

    return BertForSequenceClassification.from_pretrained(folder).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("given") / "model")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("scorer") / "model", None)


def prune(*arguments: Any, **named: Any) -> Slim:
    with frozen_garbage():
        return pruning.prune(*arguments, **{"settings": QUICK, "device": "cpu", "quiet": True} | named)


def test_without_labels_the_report_is_agreement(folder: Path) -> None:
    model, texts = model_in(folder), made_up(ROWS, 0).texts
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    expected = (random.random(), np.random.random(), torch.rand(1))
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    slim = prune(model, make_tokenizer(), texts, budget=0.3)
    assert (random.random(), np.random.random(), torch.rand(1)) == expected
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    report = slim.report
    assert (report.rows, report.slim.count, report.teacher.metrics) == (108, 12, {"agreement": 1.0})
    assert report.agreement == report.slim.metrics["agreement"] == report.slim.correct / 12
    assert (report.metrics, report.correlation) == (None, None)
    assert report.divergence >= 0
    assert report.costs.parameters.total == parameters_by_numel(slim.network)
    assert report.costs.total_density <= 0.3
    assert slim.network.training is False
    assert {"importance", "least-squares-30", "recover-30"} <= set(report.seconds)
    assert f"{report.agreement:.1%} of answers" in str(report)


def test_with_labels_the_metric_as_well(folder: Path) -> None:
    examples = made_up(ROWS, 0)
    words = [("no", "yes")[label] for label in examples.labels]
    slim = prune(str(folder), None, examples.texts, budget=0.3, labels=words, recover=False)
    assert set(slim.report.metrics) == {"accuracy", "f1"}
    assert slim.report.agreement is not None
    assert not [name for name in slim.report.seconds if name.startswith("recover")]
    assert "Accuracy" in str(slim.report)


def test_scores_of_pairs(scorer: Path) -> None:
    examples = scored_pairs(ROWS, 0)
    slim = prune(model_in(scorer), make_tokenizer(), examples.texts, budget=0.3, pairs=examples.pairs, recover=False)
    report = slim.report
    assert (report.agreement, report.task.main_metric) == (None, "correlation")
    assert report.correlation == pytest.approx(report.slim.metrics["correlation"])
    assert report.teacher.metrics["correlation"] == pytest.approx(1)


def test_a_call_goes_on_where_it_was_interrupted(folder: Path, tmp_path: Path) -> None:
    texts = made_up(ROWS, 0).texts
    first = prune(str(folder), None, texts, budget=0.3, runs=tmp_path / "runs")
    (done,) = (tmp_path / "runs" / "own").glob("recover-30-*")
    shutil.rmtree(done)
    second = prune(str(folder), None, texts, budget=0.3, runs=tmp_path / "runs")
    states = first.network.state_dict(), second.network.state_dict()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


BAD: list[tuple[dict[str, Any], type[SlimVizError], str]] = [
    ({"texts": "a text"}, DataError, r"texts are 'a text', expected a list of them"),
    ({"texts": ["a film"] * 99}, DataError, r"99 rows, expected at least 100 texts"),
    ({"texts": ["a film"] * 119 + [""]}, DataError, r"row 120, column 'text' is empty, expected a text"),
    ({"texts": ["a film"] * 119 + [3]}, DataError, r"row 120, column 'text' is 3, expected a text"),
    ({"pairs": ["a film"] * 7}, DataError, r"^prune: 7 pairs for 120 texts, expected as many"),
    ({"labels": ["yes"] * 119 + ["maybe"]}, DataError, r"row 120 has the unknown label 'maybe', expected no, yes"),
    ({"labels": [0, 1] * 60}, DataError, r"unknown label '0', expected no, yes"),
    ({"budget": 1.5}, ConfigError, r"^budgets .*expected"),
    ({"budget": 0.0001}, SlimVizError, r"below what is reachable here, expected at least"),
    ({"settings": {"speed": 9}}, ConfigError, r"speed'?: unknown"),
    ({"model": nn.Linear(2, 2)}, ConfigError, r"^prune: model is a Linear, expected one of transformers$"),
    ({"tokenizer": None}, ConfigError, r"^prune: no tokenizer, expected the model's own$"),
]


@pytest.mark.parametrize(("changes", "kind", "message"), BAD, ids=[message[:30] for *_, message in BAD])
def test_what_cannot_be_pruned_is_one_line(
    folder: Path, changes: dict[str, Any], kind: type[SlimVizError], message: str
) -> None:
    given = {"model": model_in(folder), "tokenizer": make_tokenizer(), "texts": made_up(ROWS, 0).texts}
    with pytest.raises(kind, match=message):
        prune(**given | changes)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    other = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=102, dim=16, n_layers=1, n_heads=2, hidden_dim=8)
    )
    with pytest.raises(SlimVizError, match="distilbert"):
        prune(other, make_tokenizer(), made_up(ROWS, 0).texts)


def test_the_teachers_own_answers_are_what_it_says(folder: Path) -> None:
    from pruning.bert.backbones import find_backbone, load_tokenizer
    from pruning.data import custom_task
    from pruning.measure.answers import answered
    from pruning.measure.network import Network

    task = custom_task("own", ("text",), ("no", "yes"), is_labelled=False)
    network = Network(model_in(folder), load_tokenizer(find_backbone(str(folder))), 16)
    examples = answered(task, network, made_up(9, 2))
    assert examples.is_labelled
    batch = network.tokenizer(list(examples.texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        assert examples.labels.tolist() == network.model(**batch).logits.argmax(-1).tolist()
    assert TEACHER.is_teacher
