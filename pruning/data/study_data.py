"""What a study learns from and reports on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pruning.data.examples import Examples, unlabelled
from pruning.data.overlap import sentences, without_sentences
from pruning.data.sources import load_examples
from pruning.data.task import Task
from pruning.data.tasks import TASKS
from pruning.errors import ConfigError, DataError


@dataclass(frozen=True)
class StudyData:
    """Examples of a study.

    Attributes:
        task: what they mean.
        train: what is learned from.
        validation: split name -> examples that are reported on, and never trained on.
        source: where they come from, for provenance.
        transfer: texts without labels on which recovery also follows the teacher, or None.
    """

    task: Task
    train: Examples
    validation: dict[str, Examples]
    source: str
    transfer: Examples | None = None


def glue_data(
    task: Task, source: str, *, transfer: Sequence[Task] = (), transfer_rows: int = 0, seed: int = 0
) -> StudyData:
    """A task's own splits, and texts of others where some are named.

    Args:
        task: as a study learns it.
        source: as for `load_examples`.
        transfer: tasks whose training texts recovery learns from as well.
        transfer_rows: at most so many of these texts.
        seed: of their draw.
    """
    train = load_examples(task, "train", source)
    validation = {split: load_examples(task, split, source) for split in task.validation}
    others = transfer_beside(validation, task, transfer, source, transfer_rows, seed)
    return StudyData(task, train, validation, source_name(source), others)


def transfer_beside(
    validation: Mapping[str, Examples], task: Task, others: Sequence[Task], source: str, rows: int, seed: int
) -> Examples | None:
    """Texts of other tasks, none that is reported on (see `transfer_examples`); None where no task is named."""
    if not others:
        return None
    return transfer_examples(task, others, source, rows, seed, sentences(*validation.values()))


def source_name(source: str) -> str:
    """A source as studies remember it: no path of one machine."""
    return source if source in ("hub", "probe") else f"folder {Path(source).name}"


# Tasks made of the same sources, test splits included: a text of one may be evaluation data of the other.
KIN = ({"mrpc", "stsb"},)


def are_kin(task: str, other: str) -> bool:
    """Whether two tasks were drawn from the same sources, so that neither may serve the other."""
    return any({task, other} <= family for family in KIN)


def evaluation_sentences(source: str) -> frozenset[str]:
    """All sentences of all evaluation splits of all GLUE tasks that a source has, normalised."""
    found: list[Examples] = []
    for task in TASKS.values():
        for split in task.validation:
            with suppress(DataError):  # a folder need not hold all tasks
                found.append(load_examples(task, split, source))
    return sentences(*found)


def transfer_examples(
    task: Task, others: Sequence[Task], source: str, rows: int, seed: int, unwanted: frozenset[str] = frozenset()
) -> Examples:
    """Texts of other tasks' training splits, without their labels, shaped as `task` reads them.

    A task of single texts takes both texts of a pair, each on its own; a task of pairs takes pairs. Rows that share a
    sentence with any evaluation split are left out, and counted in the examples' origin.

    Args:
        task: whose teacher will answer them.
        others: tasks to draw from.
        source: as for `load_examples`.
        rows: at most so many, drawn evenly from the others with the seed.
        seed: of the draw.
        unwanted: normalised sentences of evaluation data besides GLUE's.

    Raises:
        ConfigError: if a task of pairs is to draw from one of single texts, from itself, or from one of its own kin.
    """
    unwanted = unwanted | evaluation_sentences(source)
    gone = 0
    texts: list[str] = []
    pairs: list[str] = []
    generator = np.random.default_rng(seed)
    for other in others:
        if other.name == task.name or (task.is_pair and not other.is_pair):
            wanted = "pairs, as the task" if task.is_pair else "another task"
            raise ConfigError(f"transfer to {task.name} from {other.name}: expected {wanted}")
        if are_kin(task.name, other.name):
            raise ConfigError(
                f"transfer to {task.name} from {other.name}: drawn from the same sources, expected another task"
            )
        found, left_out = without_sentences(load_examples(other, "train", source), unwanted)
        gone += left_out
        rows_of = list(zip(found.texts, found.pairs or found.texts, strict=True))
        if not task.is_pair:
            singles = dict.fromkeys((*found.texts, *(found.pairs or ())))
            rows_of = [(text, text) for text in singles if text.strip()]
        chosen = generator.permutation(len(rows_of))[: -(-rows // len(others))]
        texts += [rows_of[index][0] for index in chosen]
        pairs += [rows_of[index][1] for index in chosen]
    names = ", ".join(other.name for other in others)
    origin = (
        f"training texts of {names} without labels; {gone} rows shared a sentence with an evaluation split and went"
    )
    return unlabelled(texts, pairs if task.is_pair else None, origin)
