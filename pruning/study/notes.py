"""What belongs beside a study's scores wherever they are compared: data that are samples, teachers that had a start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pruning.config import DEFAULT_METHOD
from pruning.data.tasks import TASKS, official_rows
from pruning.study.document import Document, SelectionRecord

TOLERANCE = 1e-3  # stored densities may be rounded


@dataclass(frozen=True)
class Sample:
    """A split of which a study has fewer rows than GLUE.

    Attributes:
        split: its name.
        rows: that the study has.
        official: that GLUE's own split has.
    """

    split: str
    rows: int
    official: int


def samples(document: Document) -> tuple[Sample, ...]:
    """Splits that the study has a part of, "train" first; none of a user's own task."""
    rows = {"train": document.provenance.data.train.rows, **{row.split: row.count for row in document.results}}
    found = []
    for split, count in rows.items():
        official = official_rows(document.task.name, split)
        if official is not None and count < official:
            found.append(Sample(split, count, official))
    return tuple(found)


def sample_text(document: Document) -> str | None:
    """What a study learned from and reports on, where that is a part of GLUE's splits; begins behind its name."""
    parts = [
        f"{'learned from' if one.split == 'train' else 'was scored on'} {one.rows:,} of GLUE's {one.official:,} "
        f"{'training' if one.split == 'train' else one.split.replace('_', ' ')} rows"
        for one in samples(document)
    ]
    if not parts:
        return None
    return f"{' and '.join(parts)}, so it is not comparable with published results on all of them"


def start_text(document: Document) -> str | None:
    """Whose teacher this study's started from; None where it was the bare backbone."""
    start = document.provenance.start
    if start is None:
        return None
    title = TASKS[start.study].title if start.study in TASKS else start.study
    return f"teacher starts from {title}'s"


def given_text(document: Document) -> str | None:
    """Whose classifier the teacher is, where the study did not train it."""
    config = document.config
    if not config.has_given_teacher:
        return None
    stored = "its weights are stored here" if config.keep_teacher else "its weights are not stored here"
    return f"teacher is {document.backbone.name}, fine-tuned before and taken as it is; {stored}"


def method_text(document: Document) -> str | None:
    """Whose choice the units are that stay, where it is not SlimViz's own."""
    if document.config.method == DEFAULT_METHOD:
        return None
    return f"units were chosen by a rival method, {document.config.method}, and not by SlimViz's own"


def split_text(document: Document) -> str | None:
    """What the task's validation split is known for.

    WNLI's: of its 71 rows 65 have their first sentence in the training split, too; of these 62 are labelled other than
    the training row most like them (Wang et al. 2019 call the split adversarial).
    """
    if document.task.name != "wnli":
        return None
    return (
        "validation split repeats sentences of the training split, nearly always under the opposite label: what was "
        "learned from their words misleads there, so the floor is the score to expect"
    )


def _above(document: Document) -> Iterator[SelectionRecord]:
    """Selections that a method could not bring down to their budgets of parameters."""
    for selection in document.selections.values():
        kept = getattr(selection, selection.budget.kind, 0.0)
        if kept > selection.budget.value * (1 + TOLERANCE):
            yield selection


def above_text(selection: SelectionRecord) -> str:
    """What a network weighs that is above its budget."""
    kept = getattr(selection, selection.budget.kind)
    return f"network for {100 * selection.budget.value:g}% is above its budget: its method leaves {kept:.1%} at least"


def notes(document: Document, name: str) -> tuple[str, ...]:
    """All of them as sentences.

    Args:
        document: the study's.
        name: what the sentences call it.
    """
    sample = sample_text(document)
    found = (method_text(document), *map(above_text, _above(document)), start_text(document), given_text(document))
    of_it = [text for text in (*found, split_text(document)) if text]
    return (*([f"{name} {sample}."] if sample else []), *(f"{name}'s {text}." for text in of_it))
