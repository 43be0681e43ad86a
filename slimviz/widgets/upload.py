"""Choosing a file of one's own and its columns, on Live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pruning.data.tables import InMemory
from pruning.data.task import Task
from pruning.errors import DataError
from slimviz import theme
from slimviz.frames.provenance import label_words
from slimviz.live.upload import FORMATS, LIMITS, MOST_MEGABYTES, ChosenColumns, uploaded

NAMES = "upload:names"  # session: the file whose columns were read last, and their names
NO_LABELS = "no labels: agreement with the teacher"
NOTHING_TO_COMPARE = "no labels: speed alone"  # where the teacher is not here


@dataclass(frozen=True)
class FileChoice:
    """A file of the visitor's, and which of its columns are read."""

    file: InMemory
    columns: ChosenColumns


def choose_file(task: Task, *, has_teacher: bool) -> tuple[FileChoice | None, bool]:
    """A field for a file and select boxes for its columns.

    Args:
        task: what the texts are for.
        has_teacher: whether the teacher is here to be agreed with.

    Returns:
        The choice, None without a file; and whether what was chosen can be used: not where a line says what is wrong.
    """
    found = st.file_uploader(
        "A file of your own: CSV, TSV, JSON lines or parquet",
        FORMATS,
        max_upload_size=MOST_MEGABYTES,
        key="live-file",
        help=f"At most {MOST_MEGABYTES} MB and {LIMITS.rows:,} rows; the first row of CSV and TSV names the columns. "
        "It stays in the memory of the machine that shows this page, is never written to its disk, and is forgotten "
        "when you leave the page.",
    )
    if found is None:
        st.caption("Without a file, speed alone is measured, on made-up texts.")
        return None, True
    try:
        file = uploaded(found.name, found.getvalue())
        names = _column_names(found.file_id, file)
    except DataError as error:
        st.error(theme.plain(str(error)))
        return None, False
    columns = _choose_columns(found.file_id, task, names, NO_LABELS if has_teacher else NOTHING_TO_COMPARE)
    return FileChoice(file, columns), True


def _column_names(file_id: str, file: InMemory) -> tuple[str, ...]:
    """The file's columns, read once a file."""
    kept = st.session_state.get(NAMES)
    if kept is None or kept[0] != file_id:
        kept = (file_id, tuple(dict.fromkeys(file.column_names())))
        st.session_state[NAMES] = kept
    if not kept[1]:
        raise DataError(f"{file.name}: holds no rows, expected at least one example")
    return kept[1]


def _choose_columns(file_id: str, task: Task, names: Sequence[str], no_labels: str) -> ChosenColumns:
    """A select box for each column that the task reads, and one for the labels; what it calls them comes first."""
    texts: list[str] = []
    places = iter(st.columns(len(task.text) + 1))
    for number, wanted in enumerate(task.text):
        free = [name for name in names if name not in texts and name != task.label] or list(names)
        start = names.index(wanted if wanted in names else free[0])
        label = "Column of the texts" if len(task.text) == 1 else f"Column of the {('first', 'second')[number]} texts"
        texts.append(next(places).selectbox(label, names, index=start, key=f"live-text-{number}-{file_id}"))
    is_there = task.is_labelled and task.label in names and task.label not in texts
    start = names.index(task.label) + 1 if is_there else 0
    label = next(places).selectbox(
        "Column of the labels",
        [None, *names],
        index=start,
        format_func=lambda name: no_labels if name is None else name,
        key=f"live-label-{file_id}",
        help=_label_help(task),
    )
    return ChosenColumns(tuple(texts), label)


def _label_help(task: Task) -> str:
    if task.labels is None:
        return "Scores, as numbers."
    return theme.plain(f"Words: {label_words(task.labels)}.")
