"""A visitor's own file as examples for a live run: it is in memory alone, and nothing of it is ever written to disk."""

from __future__ import annotations

from dataclasses import dataclass

from pruning.data.opened import Limits
from pruning.data.own_file import load_file, require_words
from pruning.data.tables import InMemory
from pruning.errors import DataError, one_line
from pruning.study import Study
from slimviz.live.examples import Drawn, sampled

FORMATS = ("csv", "tsv", "jsonl", "parquet")
MOST_MEGABYTES = 20  # also `server.maxUploadSize`, which the server holds against what browsers send
LIMITS = Limits(size=4 * MOST_MEGABYTES * 2**20, rows=100_000, columns=256)  # its size once unpacked
LONGEST_NAME = 80  # characters of the file's name where it is repeated


@dataclass(frozen=True)
class ChosenColumns:
    """Which of a file's columns are read: one or two of texts, and that of the labels, or None for no labels."""

    text: tuple[str, ...]
    label: str | None


def uploaded(name: str, content: bytes) -> InMemory:
    """A file as a browser sent it; raises `DataError` where it is empty or too large."""
    name = one_line(name, LONGEST_NAME) or "file"
    if not content:
        raise DataError(f"{name}: is empty, expected a table of texts")
    if len(content) > MOST_MEGABYTES * 2**20:
        raise DataError(f"{name}: has {len(content):,} bytes, expected at most {MOST_MEGABYTES} MB")
    return InMemory(name, content, LIMITS)


def read_upload(file: InMemory, columns: ChosenColumns, study: Study, most: int | None) -> Drawn:
    """The file's rows as examples of the study's task, or a seeded sample of them.

    Label words are matched to the task's; those of a teacher that somebody else fine-tuned by word alone, unless nobody
    named them.

    Args:
        file: from `uploaded`.
        columns: which are read.
        study: whose task the examples are of.
        most: how many examples at most; None for all.

    Raises:
        DataError: in one line, if the file is no table, lacks a column, or holds other texts or labels than expected.
    """
    from pruning.given import numbered_in

    text, pair = (*columns.text, None)[:2]
    examples, _ = load_file(
        file,
        text or "",
        pair,
        columns.label,
        study.task,
        numbered=numbered_in(study.document.config, study.task),
    )
    require_words(examples, columns.text)  # numbers alone are a column chosen by mistake
    return Drawn(sampled(examples, most), len(examples), f"your file {file.name}")
