"""Cached reads of the store: the dashboard's only `st.cache_data`.

Every cached function takes a stamp of the files it reads, so that a study that changes on disk is read again. Studies
themselves, which nobody changes, are the same ones for all visitors; arrays are copies.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pruning import study as store
from pruning.bert.shapes import Masks
from pruning.importance.factors import ImportanceFactors
from pruning.published import PUBLISHED, Published, read_published
from pruning.runtimes.stored import PROFILES, StoredProfile, read_profiles
from pruning.selection.budget import Budget
from pruning.selection.select import Selection, select, selection_of
from pruning.selection.table import Plan
from pruning.shipped import shipped
from pruning.study import BrokenStudy, SelectionRecord, Study
from pruning.study.files import CORE_FILES, DOCUMENT_FILE
from pruning.sweep.result import CellResult, read_results
from slimviz.frames.budgets import closest_budget

Stamp = tuple[tuple[str, int, int], ...]
SLOW_STAMP_SECONDS = 0.02
STAMP_PATIENCE = 20  # how many times as long as it took to make a slow stamp is good
RIVALS = shipped("rivals")  # where a sweep puts its results, a folder a task
_kept_stamps: dict[str, tuple[float, Stamp]] = {}  # and until when


@dataclass(frozen=True)
class Library:
    """What the study folders hold.

    Attributes:
        studies: studies that can be shown, by the key that pages and URLs use: the name, or "folder/name" where an
            earlier folder has a study of that name already.
        broken: folders that should be studies but cannot be read, each with its reason.
    """

    studies: dict[str, Study]
    broken: tuple[BrokenStudy, ...]


def library() -> Library:
    """All studies, bundled ones first."""
    folders = tuple(str(folder) for folder in store.study_folders())
    found = _list(folders, tuple(map(_library_stamp, folders)))
    studies: dict[str, Study] = {}
    for study in found:
        if isinstance(study, Study):
            studies[_free_key(study, studies)] = study
    return Library(studies, tuple(entry for entry in found if isinstance(entry, BrokenStudy)))


def _free_key(study: Study, taken: dict[str, Study]) -> str:
    """A key for a study that no other has; commas separate studies in a URL, so none may hold one."""
    longer = f"{study.folder.parent.name}/{study.name}".replace(",", "_")
    candidates = [study.name, longer, *(f"{longer}-{number}" for number in range(2, len(taken) + 3))]
    return next(key for key in candidates if key not in taken)


def factors(study: Study) -> ImportanceFactors:
    """A study's importance factors; raises `StoreError` where they cannot be read."""
    return _factors(study, _stamp(study.folder))


def masks(study: Study, budget: str) -> Masks:
    """The stored masks of one budget; raises `StoreError` where they cannot be read."""
    return _masks(study, budget, _stamp(study.folder))


def history(study: Study) -> list[dict]:
    """The training log; raises `StoreError` where it cannot be read."""
    return _history(study, _stamp(study.folder))


def version(study: Study) -> Stamp:
    """What changes when a study on disk is replaced."""
    return _stamp(study.folder)


def selection(study: Study, density: str) -> Selection:
    """The selection re-run on the stored factors; raises `StoreError` or `SelectionError`.

    At a stored budget it runs exactly as it was stored. At any other total density it takes the criterion and the
    settings of the stored budget that is closest. What a rival method chose is not run again, but read.

    Args:
        study: the study.
        density: name of a stored budget ("10", "flops-25"), or any other total density in percent ("7.3").
    """
    return _selection(study, density, _stamp(study.folder))


def selection_record(study: Study, density: str) -> SelectionRecord:
    """The stored selection that `selection` repeats, or takes criterion and settings from."""
    stored = study.selections
    return stored[density if density in stored else closest_budget(study, float(density) / 100)]


def rivals(task: str) -> tuple[tuple[CellResult, ...], tuple[str, ...]]:
    """What a sweep made for a task, and a line for each result that cannot be read."""
    files = sorted((RIVALS / task).glob("*.json"))
    return _rivals(str(RIVALS), task, tuple(map(_mark, files)))


def profiles() -> tuple[tuple[StoredProfile, ...], tuple[str, ...]]:
    """Profiles that ship, and a line for each that cannot be read."""
    return _profiles(tuple(map(_mark, sorted(PROFILES.glob("*.json")))))


def published() -> tuple[Published, ...]:
    """Figures that others published; raises `StoreError` where they cannot be read."""
    return _published((_mark(PUBLISHED),))


def _stamp(folder: Path) -> Stamp:
    """Name, time and size of a study's own files; what is missing or cannot be asked has neither."""
    return tuple(_mark(folder / name) for name in (DOCUMENT_FILE, *CORE_FILES))


def _mark(path: Path) -> tuple[str, int, int]:
    try:
        found = path.stat()
    except OSError:  # missing, a dangling link, or not ours to read
        return str(path), 0, -1
    return str(path), found.st_mtime_ns, found.st_size


def _library_stamp(folder: str) -> Stamp:
    """What a folder of studies looks like: a mark for each folder in it, whatever else lies there or is broken.

    Folders of many thousand entries take a while; so a stamp that did is kept for twenty times as long as it took to
    make, which bounds what looking costs to a twentieth of the time. That of a usual folder is always made anew: what
    counts is processor time, because on a busy machine any folder may take long by the clock.
    """
    kept = _kept_stamps.get(folder)
    if kept is not None and time.monotonic() < kept[0]:
        return kept[1]
    start = time.thread_time()
    marks = [*_stamp(Path(folder)), _mark(Path(folder))]
    try:
        with os.scandir(folder) as entries:
            for path in sorted(Path(entry.path) for entry in entries if entry.is_dir()):
                marks += [_mark(path), *(_stamp(path) if (path / DOCUMENT_FILE).exists() else ())]
    except OSError:
        pass  # `list_studies` says what is wrong with it
    spent = time.thread_time() - start
    if spent > SLOW_STAMP_SECONDS:
        _kept_stamps[folder] = (time.monotonic() + STAMP_PATIENCE * spent, tuple(marks))
    return tuple(marks)


def _address(study: Study) -> str:
    return str(study.folder)


@st.cache_resource(show_spinner=False, max_entries=4)  # a copy of nine takes half of what Playground takes else
def _list(folders: tuple[str, ...], stamps: tuple[Stamp, ...]) -> list[Study | BrokenStudy]:
    del stamps  # only part of the cache's key
    return store.list_studies([Path(folder) for folder in folders])


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs={Study: _address})
def _factors(study: Study, stamp: Stamp) -> ImportanceFactors:
    del stamp
    return store.load_factors(study)


@st.cache_data(show_spinner=False, max_entries=256, hash_funcs={Study: _address})
def _masks(study: Study, budget: str, stamp: Stamp) -> Masks:
    del stamp
    return store.load_masks(study, budget)


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs={Study: _address})
def _history(study: Study, stamp: Stamp) -> list[dict]:
    del stamp
    return store.load_history(study)


@st.cache_data(show_spinner=False, max_entries=512, hash_funcs={Study: _address})
def _selection(study: Study, density: str, stamp: Stamp) -> Selection:
    if study.is_by_rival:
        return _read_selection(study, density, stamp)
    stored = selection_record(study, density)
    budget = stored.budget if density in study.selections else Budget("total_density", float(density) / 100)
    return select(_factors(study, stamp), budget, stored.settings, stored.criterion, study.document.latency)


def _read_selection(study: Study, budget: str, stamp: Stamp) -> Selection:
    """A stored budget's selection from its masks."""
    cut = store.load_cut(study, budget)
    network = study.selections[budget].network
    plan = Plan(network.hidden, cut.pieces, network.rank, cut.pooler, network.positions)
    return selection_of(_factors(study, stamp), plan, cut.masks)


@st.cache_data(show_spinner=False, max_entries=32)
def _rivals(folder: str, task: str, stamp: Stamp) -> tuple[tuple[CellResult, ...], tuple[str, ...]]:
    del stamp
    return read_results(Path(folder), task)


@st.cache_data(show_spinner=False, max_entries=1)
def _profiles(stamp: Stamp) -> tuple[tuple[StoredProfile, ...], tuple[str, ...]]:
    return read_profiles([Path(name) for name, _, _ in stamp])


@st.cache_data(show_spinner=False, max_entries=1)
def _published(stamp: Stamp) -> tuple[Published, ...]:
    del stamp
    return read_published()
