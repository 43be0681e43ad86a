"""The card in a slim folder says what `study.json` says, and its example is code that loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pruning.bert.backbones import EMBEDDED
from pruning.data.tasks import custom_task, get_task
from pruning.study import Document, read_study, verify
from pruning.study.card import export_card, model_card
from pruning.study.document import StartRecord
from pruning.variants import TEACHER, Variant, slim
from tests.factories.study_document import edit
from tests.factories.synthetic_study import write_study

SLIM = slim("10")


def document_of(folder: Path, task: str) -> Document:
    return read_study(write_study(folder, task)).document


@pytest.fixture
def document(tmp_path: Path) -> Document:
    return document_of(tmp_path, "mrpc")


def row_of(document: Document, variant: Variant):
    return next(row for row in document.results if row.variant == variant)


def header(document: Document) -> Any:
    """What the hub reads of a card."""
    return yaml.safe_load(model_card(document, SLIM).split("---")[1])


def test_numbers_are_the_studys(document: Document) -> None:
    card = model_card(document, SLIM)
    slim, teacher, provenance = row_of(document, SLIM), row_of(document, TEACHER), document.provenance
    for name, title in (("accuracy", "Accuracy"), ("f1", "F1")):
        values = (teacher.metrics[name], slim.metrics[name], document.floor.get(name, 0.0))
        assert f"| {title} | {values[0]:.4f} | {values[1]:.4f} | {values[2]:.4f} |" in card
    assert f"{slim.parameters.total:,} parameters of {teacher.parameters.total:,}" in card
    assert f"{document.selections['10'].network.vocabulary:,} of 30,522 vocabulary" in card
    assert f"{slim.count} examples" in card
    assert f"Retention of Accuracy: {slim.retention:.1%}" in card
    assert f"{slim.retention_above_floor:.1%} above the majority floor" in card
    for value in (provenance.commit, provenance.date, provenance.hardware, f"Seed {provenance.seed}"):
        assert str(value) in card


def test_a_classifier_that_others_fine_tuned_is_not_said_to_be_ours(document: Document) -> None:
    own = custom_task("own", ("text",), ("no", "yes"), is_labelled=False)
    config = document.config.replace(teacher=document.config.teacher.replace(tuning="none"))
    results = tuple(row.replace(metrics={"agreement": 0.9}) for row in document.results)
    card = model_card(document.replace(task=own, config=config, results=results, floor={"agreement": 0.6}), SLIM)
    assert f"The classifier {document.backbone.name} (" in card
    assert "fine-tuned on" not in card
    assert "| Agreement with the teacher | 0.9000 | 0.9000 | 0.6000 |" in card
    assert "one same answer to all |" in card
    assert "Retention" not in card
    assert '"my-studies/' in card


def test_it_opens_with_what_the_hub_reads(document: Document) -> None:
    """Fault 14: its base is the backbone that it has, and a folder is nobody's base."""
    found = header(document)
    assert (found["library_name"], found["pipeline_tag"]) == ("transformers", "text-classification")
    assert found["base_model"] == document.backbone.name
    embedded = document.replace(backbone=document.backbone.replace(name=EMBEDDED))
    assert header(embedded)["base_model"] == f"sentence-transformers/{EMBEDDED}"
    folder = document.replace(backbone=document.backbone.replace(name="my-bert", source="folder my-bert"))
    assert "my-bert" in model_card(folder, SLIM)
    assert "base_model" not in header(folder)


def test_a_teacher_that_scores_nothing_has_a_card(tmp_path: Path) -> None:
    """Fault 11: after all the training, a constant CoLA teacher's retention is no number, and that is no failure."""
    folder = write_study(tmp_path, "cola", shipped=())

    def nothing(document: dict) -> None:
        for row in document["results"]:
            row["metrics"]["mcc"] = 0.0
            row |= {"retention": None, "retention_above_floor": None, "interval": None}

    edit(folder, nothing)
    assert verify(folder) == []
    card = model_card(read_study(folder).document, SLIM)
    assert "Retention of MCC: undefined, the teacher scores 0. Seed 0" in card


@pytest.mark.parametrize(
    ("task", "call", "answer"),
    [
        ("sst2", 'classify("a text")', "# one of: negative, positive"),
        ("rte", 'classify({"text": "first text", "text_pair": "second text"})', "# one of: entailment, not_entailment"),
        ("stsb", 'classify({"text": "first text", "text_pair": "second text"})', "# a raw score"),
    ],
)
def test_its_example_is_code_for_the_task(tmp_path: Path, task: str, call: str, answer: str) -> None:
    card = model_card(document_of(tmp_path, task), SLIM)
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code is not None
    compile(code[1], "card", "exec")
    assert "import pruning.slimbert" in code[1]
    assert f"{call}  {answer}" in code[1]
    assert get_task(task).description in card


def test_samples_and_the_teachers_start_are_said(document: Document) -> None:
    assert "not comparable" not in model_card(document, SLIM)
    data = document.provenance.data
    few = data.replace(train=data.train.replace(rows=1_234))
    provenance = document.provenance.replace(data=few, start=StartRecord("mnli", "4" * 64))
    card = model_card(document.replace(provenance=provenance), SLIM)
    assert "MRPC learned from 1,234 of GLUE's 3,668 training rows, so it is not comparable with published" in card
    assert "MRPC's teacher starts from MNLI's." in card


def test_of_two_splits_the_first_is_shown(document: Document) -> None:
    more = tuple(row.replace(split="other", count=7, correct=5) for row in document.results)
    card = model_card(document.replace(results=document.results + more), SLIM)
    assert "| validation split, 408 examples |" in card
    assert "other split" not in card


def test_where_the_teacher_is_at_its_floor_nothing_is_said_above_it(document: Document) -> None:
    at_floor = tuple(row.replace(retention_above_floor=None) for row in document.results)
    assert "above the majority floor" not in model_card(document.replace(results=at_floor), SLIM)


def test_an_exported_card_has_the_same_numbers_and_other_code(document: Document) -> None:
    card, stored = export_card(document, SLIM, "Load it so."), model_card(document, SLIM)
    table = [line for line in stored.splitlines() if line.startswith("|")]
    assert [line for line in card.splitlines() if line.startswith("|")] == table
    assert card.splitlines()[:7] == stored.splitlines()[:7]
    assert "Load it so.\n\nIt answers in this order: not_equivalent, equivalent." in card
    assert "pruning.slimbert" not in card
    assert "study.json" not in card  # nobody has it there


def test_an_exported_teacher_has_a_card_of_its_own(document: Document) -> None:
    card = export_card(document, TEACHER, "Load it so.")
    teacher = row_of(document, TEACHER)
    assert f"{teacher.parameters.total:,} parameters, nothing cut." in card
    value = teacher.metrics["accuracy"]
    assert f"| Accuracy | {value:.4f} | {value:.4f} | " in card
    assert "Retention" not in card
    assert "small vocabulary" not in card
