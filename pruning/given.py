"""A study of a classifier that somebody else fine-tuned: its task, and examples matched to its labels.

`prune` (Python) and ``run --teacher`` (command line) both come through here.
"""

from __future__ import annotations

from dataclasses import replace

from pruning.bert.backbones import positions
from pruning.bert.classifier import Classifier
from pruning.config import StudyConfig, with_settings
from pruning.data import Examples, StudyData, Task, hold_out
from pruning.data.columns import are_nameless
from pruning.data.tasks import custom_task
from pruning.errors import DataError, one_line

LEAST_TEXTS = 100  # a tenth of them is reported on


def given_config(config: StudyConfig, classifier: Classifier) -> StudyConfig:
    """The settings of a study whose teacher is this classifier as it is.

    Args:
        config: everything else.
        classifier: whose folder or hub id becomes the backbone's name.
    """
    backbone = classifier.backbone
    name = str(backbone.folder) if classifier.is_folder else backbone.name
    length = min(config.max_length, positions(backbone))
    return with_settings(config, {"backbone": name, "teacher.tuning": "none", "max_length": length})


def given_task(classifier: Classifier, name: str, text: tuple[str, ...], label: str | None) -> Task:
    """A user's own task with the classifier's labels.

    Args:
        classifier: whose labels they are.
        name: short name, not one of GLUE's.
        text: one or two text columns.
        label: column of the labels; None where there are none.
    """
    free = next(word for word in ("label", "answer", "said") if word not in text)
    return custom_task(name, text, classifier.labels, label=label or free, is_labelled=label is not None)


def given_data(task: Task, train: Examples, held_out: Examples | None, source: str, seed: int) -> StudyData:
    """Examples of a given teacher's study; a tenth is held out to report on where nothing else is.

    Args:
        task: of the study.
        train: texts to follow the teacher on.
        held_out: examples to report on, or None.
        source: where they come from, for provenance.
        seed: of what is held out.

    Raises:
        DataError: if there are too few texts, or they hold nothing to read.
    """
    if len(train) < LEAST_TEXTS:
        raise DataError(f"{train.origin}: {len(train)} rows, expected at least {LEAST_TEXTS} texts to learn from")
    if held_out is None:
        train, held_out = hold_out(train, seed)
    return StudyData(task, train, {task.validation[0]: held_out}, source)


def matched_task(task: Task, classifier: Classifier) -> Task:
    """A GLUE task with its label words in the classifier's order, in which its examples are then read.

    Words are matched by word; where nobody named the classifier's labels, its numbers are GLUE's own.

    Raises:
        DataError: if the labels are others.
    """
    words, own = classifier.labels, task.labels
    if words is None and own is None:
        return task
    if words is None or own is None or len(words) != len(own):
        raise _mismatch(classifier, task)
    if classifier.is_nameless:
        return task
    if set(words) != set(own):
        raise _mismatch(classifier, task)
    return replace(task, labels=words)


def _mismatch(classifier: Classifier, task: Task) -> DataError:
    sides = [one_line(", ".join(side), 200) if side else "a score" for side in (classifier.labels, task.labels)]
    return DataError(f"teacher {classifier.backbone.name!r}: answers {sides[0]}, but {task.name} has {sides[1]}")


def numbered(task: Task) -> bool:
    """Whether 0, 1, ... in a file may stand for the labels of a given teacher: only where nobody named them."""
    return task.labels is not None and are_nameless(task.labels)


def numbered_in(config: StudyConfig, task: Task) -> bool | None:
    """The same for a file that a stored study is asked about; None (the words decide) where it trained its teacher."""
    return numbered(task) if config.has_given_teacher else None
