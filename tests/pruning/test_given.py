"""A given teacher's study: its task, its labels against a file's and GLUE's, enough texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pruning import given
from pruning.bert.backbones import Backbone
from pruning.bert.classifier import Classifier
from pruning.config import StudyConfig
from pruning.data import get_task, load_examples, load_file
from pruning.errors import DataError
from tests.factories.own_data import made_up
from tests.factories.tiny_backbone import write_classifier


def classifier(*labels: str) -> Classifier:
    return Classifier(Backbone("model", "folder model", Path("model"), "0" * 64), labels or None)


def test_settings_name_the_teacher_and_fit_its_positions(tmp_path: Path) -> None:
    from pruning.bert.classifier import find_classifier

    folder = write_classifier(tmp_path / "model")
    config = given.given_config(
        StudyConfig(max_length=512, selection=StudyConfig().selection.replace(positions=512)),
        find_classifier(str(folder)),
    )
    assert (config.backbone, config.teacher.tuning, config.max_length) == (str(folder), "none", 512)
    path = folder / "config.json"
    path.write_text(path.read_text().replace('"max_position_embeddings": 512', '"max_position_embeddings": 64'))
    config = given.given_config(StudyConfig(), find_classifier(str(folder)))
    assert (config.max_length, config.selection.positions) == (64, 64)


def test_a_task_with_labels_and_without() -> None:
    task = given.given_task(classifier("no", "yes"), "own", ("text",), "stars")
    assert (task.labels, task.metrics, task.label, task.is_labelled) == (
        ("no", "yes"),
        ("accuracy", "f1"),
        "stars",
        True,
    )
    task = given.given_task(classifier("no", "yes"), "own", ("label", "pair"), None)
    assert (task.metrics, task.label, task.is_labelled) == (("agreement",), "answer", False)
    task = given.given_task(classifier(), "own", ("text",), None)
    assert (task.labels, task.metrics) == (None, ("correlation",))


def rows(tmp_path: Path, *labels: object) -> Path:
    path = tmp_path / "rows.csv"
    pd.DataFrame({"text": ["good film"] * len(labels), "label": labels}).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("words", "typed", "numbers"),
    [
        (("no", "yes"), ("yes", "no", "yes"), [1, 0, 1]),
        (("yes", "no"), ("yes", "no", "yes"), [0, 1, 0]),  # the model's order, not the alphabet's
        (("LABEL_0", "LABEL_1"), (1, 0, 1), [1, 0, 1]),
        (("LABEL_0", "LABEL_1"), ("LABEL_1", "LABEL_0"), [1, 0]),
        (("1", "2"), (2, 1), [1, 0]),  # words that are numbers: by word
    ],
)
def test_labels_are_matched_by_word_then_by_number(
    tmp_path: Path, words: tuple[str, ...], typed: tuple[object, ...], numbers: list[int]
) -> None:
    task = given.given_task(classifier(*words), "own", ("text",), "label")
    examples, _ = load_file(rows(tmp_path, *typed), "text", None, "label", task, numbered=given.numbered(task))
    assert examples.labels.tolist() == numbers


@pytest.mark.parametrize(
    ("words", "typed", "sides"),
    [
        (("negative", "positive"), (0, 1), "'0', expected negative, positive; the column holds 0, 1$"),
        (("negative", "positive"), ("neg", "pos"), "'neg', expected negative, positive; the column holds neg, pos$"),
        (("LABEL_0", "LABEL_1"), ("no", "yes"), "'no', expected LABEL_0, LABEL_1, or .* holds no, yes$"),
        (("LABEL_0", "LABEL_1"), (1, 2), "'1', expected LABEL_0, LABEL_1, or throughout 0 to 1; .* holds 1, 2$"),
        (("no", "yes"), ("yes", "maybe", "no"), "row 2 has the unknown label 'maybe'"),
    ],
)
def test_other_labels_are_refused_with_both_sides(
    tmp_path: Path, words: tuple[str, ...], typed: tuple[object, ...], sides: str
) -> None:
    task = given.given_task(classifier(*words), "own", ("text",), "label")
    with pytest.raises(DataError, match=sides):
        load_file(rows(tmp_path, *typed), "text", None, "label", task, numbered=given.numbered(task))


def test_too_few_texts() -> None:
    task = given.given_task(classifier("no", "yes"), "own", ("text",), "label")
    with pytest.raises(DataError, match=r"99 rows, expected at least 100 texts to learn from$"):
        given.given_data(task, made_up(99, 0), None, "file", 0)
    data = given.given_data(task, made_up(100, 0), None, "file", 0)
    assert (len(data.train), len(data.validation["validation"])) == (90, 10)
    data = given.given_data(task, made_up(100, 0), made_up(7, 1), "file", 0)
    assert (len(data.train), len(data.validation["validation"])) == (100, 7)


def test_glue_read_as_the_teacher_numbers_it(tmp_path: Path) -> None:
    task = get_task("rte")
    (tmp_path / "rte").mkdir()
    table = {"sentence1": ["a", "b", "c"], "sentence2": ["d", "e", "f"], "label": [0, 1, 1]}
    pd.DataFrame(table).to_parquet(tmp_path / "rte" / "train.parquet")
    assert given.matched_task(task, classifier(*(task.labels or ()))) == task
    assert given.matched_task(task, classifier("LABEL_0", "LABEL_1")) == task
    other = given.matched_task(task, classifier("not_entailment", "entailment"))
    assert other == replace(task, labels=("not_entailment", "entailment"))
    read = {name: load_examples(one, "train", tmp_path) for name, one in (("own", task), ("other", other))}
    assert read["own"].labels.tolist() == [0, 1, 1]
    assert read["other"].labels.tolist() == [1, 0, 0]
    words = [[one.labels[number] for number in read[name].labels] for name, one in (("own", task), ("other", other))]
    assert np.array_equal(*words)


@pytest.mark.parametrize(
    ("words", "name"), [(("no", "yes"), "rte"), ((), "rte"), (("a", "b", "c"), "rte"), (("no", "yes"), "stsb")]
)
def test_a_glue_task_with_other_labels_is_refused(words: tuple[str, ...], name: str) -> None:
    with pytest.raises(DataError, match=r"^teacher 'model': answers .*, but .* has "):
        given.matched_task(get_task(name), classifier(*words))
