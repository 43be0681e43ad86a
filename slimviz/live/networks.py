"""Loading teacher and slim networks, cached by (study, variant, device), never by text.

Everything that computes holds `pruning.measure.latency`'s one lock for timing: a prediction of another session waits
for the batch that is being timed, and never disturbs it.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pruning.errors import SlimVizError, StoreError
from pruning.study.read import Study

if TYPE_CHECKING:
    from pruning.measure.networks import DeviceInfo

TEACHER = "teacher"
MAX_TOKENS = 128  # where a study does not say what it was trained with
CACHED_NETWORKS = 6  # three studies' teachers and slim networks; a teacher of BERT-base's size takes 440 MB


@dataclass(frozen=True)
class Network:
    """A network ready to answer.

    Attributes:
        variant: "teacher" or "slim-<percent>".
        model: in eval mode on `device`; shared by all sessions, so never changed.
        tokenizer: its own (a slim network's vocabulary is cut).
        device: as torch names it.
        max_length: most tokens of a text, special ones included.
    """

    variant: str
    model: Any
    tokenizer: Any
    device: str
    max_length: int


def slim_budgets(study: Study) -> list[str]:
    """Budgets (percent) whose slim network's weights are here, the largest first."""
    shipped = [percent for percent in study.selections if study.weights(f"slim-{percent}") is not None]
    return sorted(shipped, key=float, reverse=True)


def max_length(study: Study) -> int:
    """Longest text in tokens that the study was made for."""
    stored = study.data["config"].get("max_length")
    return stored if isinstance(stored, int) and 8 <= stored <= 512 else MAX_TOKENS


def version(study: Study) -> int:
    """A number that changes when the study on disk is replaced; 0 where it is gone."""
    try:
        return (study.folder / "study.json").stat().st_mtime_ns
    except OSError:
        return 0


def load_network(study: Study, variant: str, device: str = "cpu") -> Network:
    """A study's network, from the cache where it is there; raises `SlimVizError` in one line."""
    return _load_network(str(study.folder), version(study), variant, device, study)


def load_networks(study: Study, variants: Sequence[str], device: str = "cpu") -> tuple[list[Network], dict[str, str]]:
    """Several networks: those that load, and why the others do not."""
    networks, problems = [], {}
    for variant in variants:
        try:
            networks.append(load_network(study, variant, device))
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


@st.cache_resource(max_entries=CACHED_NETWORKS, show_spinner=False)
def _load_network(folder: str, stored_version: int, variant: str, device: str, _study: Study) -> Network:
    del folder, stored_version  # only part of the cache's key
    where = f"{_study.name}/{variant}"
    weights = _study.weights(variant)
    if weights is None:
        raise StoreError(f"{where}: no weights in the study folder")
    with computing():  # loading changes torch's defaults for a moment
        try:
            model, tokenizer = _read_network(_study, variant, weights)
            model = model.to(device).eval()
        except SlimVizError:
            raise
        except Exception as error:  # damaged files raise whatever the library that reads them raises
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise StoreError(f"{where}: weights cannot be loaded ({reason})") from error
    positions = int(getattr(model.config, "max_position_embeddings", MAX_TOKENS))
    return Network(variant, model, tokenizer, device, min(max_length(_study), positions))


def _read_network(study: Study, variant: str, weights: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    if variant == TEACHER:
        from pruning.bert.backbones import load_teacher

        return load_teacher(study.folder, study.data)
    import pruning.slimbert  # noqa: F401  # registers the slim network with the Auto classes

    model = AutoModelForSequenceClassification.from_pretrained(weights, dtype=torch.float32, local_files_only=True)
    return model, AutoTokenizer.from_pretrained(weights, local_files_only=True)


@contextmanager
def computing() -> Iterator[None]:
    """Hold the lock that keeps timings and everything else that computes apart; never call `st` inside."""
    from pruning.measure.latency import TIMING_LOCK

    with TIMING_LOCK:
        yield


def devices() -> list[DeviceInfo]:
    """Devices that a network could run on; those that are not here come with the reason."""
    from pruning.measure import networks as measure

    return measure.devices()


def threads_text() -> str:
    """How many threads torch computes with on the CPU: "2 threads"."""
    import torch

    count = torch.get_num_threads()
    return f"{count} thread{'s' if count != 1 else ''}"
