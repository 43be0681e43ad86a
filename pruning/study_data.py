"""What a study learns from and reports on."""

from __future__ import annotations

from dataclasses import dataclass

from pruning.data import Examples
from pruning.tasks import Task


@dataclass(frozen=True)
class StudyData:
    """Examples of a study.

    Attributes:
        task: what they mean.
        train: what is learned from.
        validation: split name -> examples that are reported on, and never trained on.
        source: where they come from, for provenance.
    """

    task: Task
    train: Examples
    validation: dict[str, Examples]
    source: str
