"""Loading teacher and slim networks, cached by (study, variant, device, or runtime and threads), never by text.

Everything that computes holds `pruning.measure.latency`'s one lock for timing: a prediction of another session waits
for the batch that is being timed, and never disturbs it.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from pruning.errors import BackboneError, MissingError, SlimVizError, StoreError, one_line
from pruning.measure import network as measure
from pruning.study import Study
from pruning.study.networks import is_available, names_teacher
from pruning.variants import TEACHER, Variant
from slimviz.live.runtimes import RUNTIMES, TORCH, ExportedModel
from slimviz.theme import thread_text

if TYPE_CHECKING:
    from pruning.measure.devices import DeviceInfo

LOOKED_FOR_SECONDS = 60  # how long it is good to know whether a teacher is on this machine
LONGEST_NAME = 60  # characters of a teacher's name in a sentence
CACHED_NETWORKS = 6  # three studies' teachers and slim networks; a teacher of BERT-base's size takes 440 MB
CACHED_EXPORTS = 4  # one study's teacher and slim network in both precisions, with one number of threads
_waiting: list[object] = []  # one for each thread that waits in `computing()`


@dataclass(frozen=True, eq=False)
class Network(measure.Network):
    """A network ready to answer: its model is shared by all sessions, so never changed.

    Attributes:
        variant: which one of its study.
        runtime: name of what it computes with, of `RUNTIMES`.
        threads: of the processor that an answer is computed with; None for `all_threads`.
    """

    variant: Variant = TEACHER
    runtime: str = TORCH.name
    threads: int | None = None


def teacher_problem(study: Study) -> str | None:
    """Why a study's teacher cannot answer here, as a sentence; None where it can.

    One that the study only names is looked for by its checksum, once in a while: its file may have gigabytes.
    """
    if names_teacher(study):
        return _named_teacher_problem(str(study.folder), version(study), study)
    if study.weights(TEACHER) is None:
        return "The teacher's weights are not in this study."
    return None


@st.cache_data(max_entries=64, ttl=LOOKED_FOR_SECONDS, show_spinner="Looking for the teacher …")
def _named_teacher_problem(folder: str, stored_version: int, _study: Study) -> str | None:
    del folder, stored_version  # only part of the cache's key
    from pruning.bert.backbones import find_recorded_backbone

    recorded = _study.document.backbone
    name = one_line(recorded.name, LONGEST_NAME)
    try:
        find_recorded_backbone(recorded.name, recorded.source, recorded.sha256, _study.folder.parent)
    except MissingError:
        return f"The study only names its teacher, {name}, which is not on this machine."
    except (BackboneError, OSError) as error:
        return f"The study only names its teacher, {name}, which cannot be taken from here ({one_line(error)})."
    return None


def version(study: Study) -> int:
    """A number that changes when the study on disk is replaced; 0 where it is gone."""
    try:
        return (study.folder / "study.json").stat().st_mtime_ns
    except OSError:
        return 0


def load_network(
    study: Study, variant: Variant, device: str = "cpu", runtime: str = TORCH.name, threads: int | None = None
) -> Network:
    """A study's network, from the cache where it is there; raises `SlimVizError` in one line.

    Args:
        study: where it is stored.
        variant: which one.
        device: as torch names it; "cpu" for any runtime but torch.
        runtime: of `RUNTIMES`.
        threads: of the processor, in any runtime; None for `all_threads`.
    """
    network = replace(_load_network(str(study.folder), version(study), variant, device, study), threads=threads)
    precision = RUNTIMES[runtime].precision
    if precision is None:
        return network
    model = _export(str(study.folder), version(study), variant, precision, threads or all_threads(), network)
    return replace(network, model=model, runtime=runtime)


def load_networks(
    study: Study,
    variants: Sequence[Variant],
    device: str = "cpu",
    runtime: str = TORCH.name,
    threads: int | None = None,
) -> tuple[list[Network], dict[Variant, str]]:
    """Several networks, see `load_network`: those that load, and why the others do not."""
    networks: list[Network] = []
    problems: dict[Variant, str] = {}
    for variant in variants:
        try:
            networks.append(load_network(study, variant, device, runtime, threads))
        except SlimVizError as error:
            problems[variant] = str(error)
    if networks:
        _spare_the_collector()
    return networks, problems


@functools.cache
def _spare_the_collector() -> None:
    """Take what torch and transformers brought out of the garbage collector's sight, once a process.

    Streamlit collects garbage after each run of a page, before the browser hears that the run is over. With the
    libraries' 400,000 objects that takes a quarter of a second, which every answer would wait for.
    """
    gc.collect()
    gc.freeze()


@st.cache_resource(max_entries=CACHED_NETWORKS, show_spinner=False, hash_funcs={Variant: str})
def _load_network(folder: str, stored_version: int, variant: Variant, device: str, _study: Study) -> Network:
    del folder, stored_version  # only part of the cache's key
    where = f"{_study.name}/{variant}"
    if not is_available(_study, variant):
        raise StoreError(f"{where}: no weights in the study folder")
    from pruning.study.networks import load_network as read_network

    with computing():  # loading changes torch's defaults for a moment
        network = read_network(_study, variant, device=device)
    return Network(network.model, network.tokenizer, network.max_length, device, variant)


@st.cache_resource(max_entries=CACHED_EXPORTS, show_spinner=False, hash_funcs={Variant: str})
def _export(
    folder: str, stored_version: int, variant: Variant, precision: str, threads: int, _network: Network
) -> ExportedModel:
    del folder, stored_version, variant  # only part of the cache's key
    with computing():  # else it would take the processor from what is timed
        return ExportedModel(_network.model, precision, threads)


@contextmanager
def computing() -> Iterator[None]:
    """Hold the lock that keeps timings and everything else that computes apart; never call `st` inside.

    torch computes with `all_threads` inside, whatever this thread found: one that began while somebody's run took fewer
    would go on with as few, see `using_threads`.
    """
    import torch

    from pruning.measure.latency import TIMING_LOCK

    waiter = object()
    _waiting.append(waiter)
    try:
        TIMING_LOCK.acquire()
    finally:
        _waiting.remove(waiter)
    try:
        torch.set_num_threads(all_threads())
        yield
    finally:
        TIMING_LOCK.release()


def others_wait() -> bool:
    """Whether somebody waits in `computing()`: who holds the lock then does what was asked and nothing more."""
    return bool(_waiting)


def devices() -> list[DeviceInfo]:
    """Devices that a network could run on; those that are not here come with the reason."""
    from pruning.measure.devices import devices as found

    return found()


def threads_text() -> str:
    """How many threads networks compute with on the CPU where nobody chose, in any runtime: "2 threads"."""
    return thread_text(all_threads())


@functools.cache
def all_threads() -> int:
    """How many threads torch computes with where nobody asks for fewer; asked once, before anybody does."""
    import torch

    from pruning.measure.latency import TIMING_LOCK

    with TIMING_LOCK:
        return torch.get_num_threads()
