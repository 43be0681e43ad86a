"""What a study learns from and reports on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pruning.data.examples import Examples, unlabelled
from pruning.data.sources import load_examples
from pruning.data.task import Task
from pruning.errors import ConfigError


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


def transfer_examples(task: Task, others: Sequence[Task], source: str, rows: int, seed: int) -> Examples:
    """Texts of other tasks' training splits, without their labels, shaped as `task` reads them.

    A task of single texts takes both texts of a pair, each on its own; a task of pairs takes pairs.

    Args:
        task: whose teacher will answer them.
        others: tasks to draw from.
        source: as for `load_examples`.
        rows: at most so many, drawn evenly from the others with the seed.
        seed: of the draw.

    Raises:
        ConfigError: if a task of pairs is to draw from one of single texts, or from itself.
    """
    texts: list[str] = []
    pairs: list[str] = []
    generator = np.random.default_rng(seed)
    for other in others:
        if other.name == task.name or (task.is_pair and not other.is_pair):
            wanted = "pairs, as the task" if task.is_pair else "another task"
            raise ConfigError(f"transfer to {task.name} from {other.name}: expected {wanted}")
        found = load_examples(other, "train", source)
        rows_of = list(zip(found.texts, found.pairs or found.texts, strict=True))
        if not task.is_pair:
            singles = dict.fromkeys((*found.texts, *(found.pairs or ())))
            rows_of = [(text, text) for text in singles if text.strip()]
        chosen = generator.permutation(len(rows_of))[: -(-rows // len(others))]
        texts += [rows_of[index][0] for index in chosen]
        pairs += [rows_of[index][1] for index in chosen]
    origin = f"training texts of {', '.join(other.name for other in others)} without labels"
    return unlabelled(texts, pairs if task.is_pair else None, origin)
