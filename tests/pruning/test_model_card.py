"""The card in a slim folder says what `study.json` says, and its example is code that loads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pruning.bert.backbones import EMBEDDED
from pruning.data.tasks import get_task
from pruning.study.card import model_card
from tests.factories.synthetic_study import write_study


def document_of(folder: Path, task: str, **changes: Any) -> dict[str, Any]:
    return json.loads((write_study(folder, task) / "study.json").read_text()) | changes


@pytest.fixture
def document(tmp_path: Path) -> dict[str, Any]:
    return document_of(tmp_path, "mrpc")


def row_of(document: dict[str, Any], variant: str) -> dict[str, Any]:
    return next(row for row in document["results"] if row["variant"] == variant)


def test_numbers_are_the_studys(document: dict[str, Any]) -> None:
    card = model_card(document, "10")
    slim, teacher = row_of(document, "slim-10"), row_of(document, "teacher")
    for name, title in (("accuracy", "Accuracy"), ("f1", "F1")):
        values = (teacher["metrics"][name], slim["metrics"][name], document["floor"].get(name, 0.0))
        assert f"| {title} | {values[0]:.4f} | {values[1]:.4f} | {values[2]:.4f} |" in card
    assert f"{slim['parameters']['total']:,} parameters of {teacher['parameters']['total']:,}" in card
    assert f"{document['selections']['10']['pieces']:,} of 30,522 vocabulary" in card
    assert f"{slim['count']} examples" in card
    assert f"Retention of Accuracy: {slim['retention']:.1%}" in card
    assert f"{slim['retention_above_floor']:.1%} above the majority floor" in card
    provenance = document["provenance"]
    for value in (provenance["commit"], provenance["date"], provenance["hardware"], f"Seed {provenance['seed']}"):
        assert value in card


def test_it_opens_with_what_the_hub_reads(document: dict[str, Any]) -> None:
    card = model_card(document, "10")
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "transformers"
    assert header["pipeline_tag"] == "text-classification"
    assert header["base_model"] == document["backbone"]["name"]
    document["backbone"]["name"] = EMBEDDED
    header = yaml.safe_load(model_card(document, "10").split("---")[1])
    assert header["base_model"] == f"sentence-transformers/{EMBEDDED}"


def test_a_folder_of_this_machine_is_not_named(document: dict[str, Any]) -> None:
    document["backbone"] |= {"name": "/home/someone/models/my-bert", "source": "folder my-bert"}
    card = model_card(document, "10")
    assert "/home" not in card
    assert "my-bert" in card
    assert "base_model" not in yaml.safe_load(card.split("---")[1])


@pytest.mark.parametrize(
    ("task", "call", "answer"),
    [
        ("sst2", 'classify("a text")', "# one of: negative, positive"),
        ("rte", 'classify({"text": "first text", "text_pair": "second text"})', "# one of: entailment, not_entailment"),
        ("stsb", 'classify({"text": "first text", "text_pair": "second text"})', "# a raw score"),
    ],
)
def test_its_example_is_code_for_the_task(tmp_path: Path, task: str, call: str, answer: str) -> None:
    card = model_card(document_of(tmp_path, task), "10")
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code is not None
    compile(code[1], "card", "exec")
    assert "import pruning.slimbert" in code[1]
    assert f"{call}  {answer}" in code[1]
    assert get_task(task).description in card


def test_of_two_splits_the_first_is_shown(tmp_path: Path) -> None:
    document = document_of(tmp_path, "sst2")
    document["results"] += [row | {"split": "other", "count": 7} for row in document["results"]]
    card = model_card(document, "10")
    assert "| validation split, 872 examples |" in card
    assert "other split" not in card


def test_where_the_teacher_is_at_its_floor_nothing_is_said_above_it(document: dict[str, Any]) -> None:
    row_of(document, "slim-10")["retention_above_floor"] = None
    assert "above the majority floor" not in model_card(document, "10")
