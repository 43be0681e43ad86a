"""Teacher and slim networks at work: the dashboard's only module that touches torch, imported inside functions.

Networks are cached by (study, variant, device), never by text. Everything that computes holds the one lock for timing
of `pruning.measure.latency`: a prediction of another session waits for the batch that is being timed, and never
disturbs it.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pruning.errors import MeasureError, SlimVizError, StoreError
from pruning.study import Study, list_studies

if TYPE_CHECKING:
    from pruning.data.examples import Examples
    from pruning.measure import network as measure
    from pruning.measure.devices import DeviceInfo

TEACHER = "teacher"
MAX_TOKENS = 128  # where a study does not say what it was trained with
CACHED_NETWORKS = 6  # three studies' teachers and slim networks; a teacher of BERT-base's size takes 440 MB
PREDICTION_RUNS = 5  # forward passes behind a latency; their median is shown
PREDICTION_SECONDS = 0.1  # after this, fewer have to do
WARM_UP_VARIABLE = "SLIMVIZ_WARM_UP"
WARM_UP_DELAY = 2.0  # seconds that belong to the first page alone: importing torch holds the interpreter's lock

logger = logging.getLogger(__name__)


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


@dataclass(frozen=True)
class Answer:
    """What one network says about one text.

    Attributes:
        variant: "teacher" or "slim-<percent>".
        probabilities: one per label, or None for a regression.
        score: of a regression, else None.
        latency_ms: median of `runs` forward passes.
        runs: how many passes were timed.
        pieces: word pieces read, special tokens not counted.
        unknown: how many of them the vocabulary does not know.
        left_out: word pieces beyond the longest text that the network reads.
    """

    variant: str
    probabilities: tuple[float, ...] | None
    score: float | None
    latency_ms: float
    runs: int
    pieces: int
    unknown: int
    left_out: int

    @property
    def label(self) -> int | None:
        """Number of the most probable label; None for a regression."""
        return None if self.probabilities is None else int(np.argmax(self.probabilities))

    @property
    def is_readable(self) -> bool:
        """Whether the network knew anything of what it read."""
        return self.pieces > self.unknown


# Networks


def slim_budgets(study: Study) -> list[str]:
    """Budgets (percent) whose slim network's weights are here, the largest first."""
    shipped = [percent for percent in study.data["selections"] if study.weights(f"slim-{percent}") is not None]
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
    if _study.weights(variant) is None:
        raise StoreError(f"{where}: no weights in the study folder")
    with computing():  # loading changes torch's defaults for a moment
        try:
            model, tokenizer = _read_network(_study, variant)
            model = model.to(device).eval()
        except SlimVizError:
            raise
        except Exception as error:  # damaged files raise whatever the library that reads them raises
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise StoreError(f"{where}: weights cannot be loaded ({reason})") from error
    positions = int(getattr(model.config, "max_position_embeddings", MAX_TOKENS))
    return Network(variant, model, tokenizer, device, min(max_length(_study), positions))


def _read_network(study: Study, variant: str) -> tuple[Any, Any]:
    from pruning.study.networks import load_network as read_network

    network = read_network(study, variant)
    return network.model, network.tokenizer


# Computing


@contextmanager
def computing() -> Iterator[None]:
    """Hold the lock that keeps timings and everything else that computes apart; never call `st` inside."""
    from pruning.measure.latency import TIMING_LOCK

    with TIMING_LOCK:
        yield


def devices() -> list[DeviceInfo]:
    """Devices that a network could run on; those that are not here come with the reason."""
    from pruning.measure.devices import devices as found

    return found()


def threads_text() -> str:
    """How many threads torch computes with on the CPU: "2 threads"."""
    import torch

    count = torch.get_num_threads()
    return f"{count} thread{'s' if count != 1 else ''}"


def batch_of(network: Network, examples: Examples) -> tuple[dict[str, Any], int, int]:
    """Examples as a padded batch on the network's device, how many were cut, and how many tokens they have.

    Call it inside `computing()`: a fast tokenizer must not be used by two threads at once.
    """
    from pruning.measure.logits import batch_inputs

    encoded = measured(network).encode(examples)
    inputs = batch_inputs(measured(network), encoded)
    return inputs, encoded.truncated, int(encoded.lengths.sum())


def made_up_batch(network: Network, batch: int, length: int) -> dict[str, Any]:
    """A batch of texts of exactly `length` tokens, the same as in the stored timings."""
    from pruning.measure.speed import made_up

    return made_up(measured(network), batch, length)


def forward(network: Network, inputs: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Logits (examples, labels) and the seconds that one forward pass took; call it inside `computing()`."""
    from pruning.measure.logits import timed_forward

    return timed_forward(measured(network), inputs)


def measured(network: Network) -> measure.Network:
    """The network as `pruning.measure` takes it."""
    from pruning.measure.network import Network

    return Network(network.model, network.tokenizer, network.max_length, network.device)


def predict(networks: Sequence[Network], text: str, pair: str | None = None) -> list[Answer]:
    """What each network says about a text (or a pair), and how long it took, in turns so that latencies compare.

    Raises:
        MeasureError: if an answer is not a number.
    """
    from pruning.data.examples import unlabelled

    examples = unlabelled([text], None if pair is None else [pair], "typed text")
    with computing():
        inputs = [batch_of(network, examples)[0] for network in networks]
        wanted = [len(_pieces(network, text, pair)) for network in networks]
        logits = [forward(network, batch)[0][0] for network, batch in zip(networks, inputs, strict=True)]
        seconds: list[list[float]] = [[] for _ in networks]
        start = time.perf_counter()
        while len(seconds[-1]) < PREDICTION_RUNS:
            for number, network in enumerate(networks):
                seconds[number].append(forward(network, inputs[number])[1])
            if time.perf_counter() - start > PREDICTION_SECONDS:
                break
    return [
        _answer(network, logits[number], seconds[number], inputs[number]["input_ids"], wanted[number])
        for number, network in enumerate(networks)
    ]


def _pieces(network: Network, text: str, pair: str | None) -> list[int]:
    return network.tokenizer(text, pair, truncation=False, add_special_tokens=False, verbose=False)["input_ids"]


def _answer(network: Network, logits: np.ndarray, seconds: list[float], input_ids: Any, wanted: int) -> Answer:
    if not np.isfinite(logits).all():
        raise MeasureError(f"{network.variant}: the answer is not a number, expected finite logits")
    ids = input_ids[0].cpu().numpy()
    tokenizer = network.tokenizer
    special = np.isin(ids, [i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id])
    pieces = int((~special).sum())
    from pruning.measure.answers import probabilities

    is_regression = len(logits) == 1
    return Answer(
        variant=network.variant,
        probabilities=None if is_regression else tuple(probabilities(logits[None])[0].tolist()),
        score=float(logits[0]) if is_regression else None,
        latency_ms=1000 * float(np.median(seconds)),
        runs=len(seconds),
        pieces=pieces,
        unknown=int((ids == tokenizer.unk_token_id).sum()),
        left_out=max(0, wanted - pieces),
    )


# Warm-up

_warm_up_started = threading.Event()
_warm_up_guard = threading.Lock()


def start_warm_up() -> bool:
    """Import torch and load the first study's networks in the background, once a server; says whether it started.

    On under `streamlit run`, off in tests; SLIMVIZ_WARM_UP=0 or =1 settles it.
    """
    wanted = os.environ.get(WARM_UP_VARIABLE, "").strip().lower()
    if wanted in ("0", "off", "false", "no") or (not wanted and not _is_server()):
        return False
    with _warm_up_guard:
        if _warm_up_started.is_set():
            return False
        _warm_up_started.set()
    threading.Thread(target=_warm_up, name="slimviz-warm-up", daemon=True).start()
    return True


def _is_server() -> bool:
    """Whether this is a running server: AppTest puts a stand-in, of another type, where the runtime would be."""
    from streamlit.runtime import Runtime, exists, get_instance

    return exists() and type(get_instance()) is Runtime


def _warm_up() -> None:
    try:
        time.sleep(WARM_UP_DELAY)
        warm_up()
    except Exception:  # whatever is wrong will be said where a person asks for an answer
        logger.debug("warm-up failed", exc_info=True)


def warm_up() -> None:
    """Load the first study's networks as the Playground will ask for them, and let them answer once."""
    study = next((entry for entry in list_studies() if isinstance(entry, Study) and slim_budgets(entry)), None)
    if study is None:
        return
    budgets = slim_budgets(study)
    networks, _ = load_networks(study, (TEACHER, f"slim-{'10' if '10' in budgets else budgets[-1]}"))
    if networks:
        predict(networks, "A first sentence.", "And a second one." if study.task.is_pair else None)
