"""Labelled examples for a live run: where they may come from, and a sample of them."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pruning.data.examples import Examples
from pruning.data.probe import probe_file
from pruning.data.sources import SOURCE_VARIABLE, default_source, load_examples
from pruning.data.tasks import TASKS, Task
from pruning.errors import DataError

SAMPLE_SEED = 0  # of the examples drawn where not all are asked for
HUB_SECONDS = 3.0  # how long the hub has to answer before the probe set takes its place


@dataclass(frozen=True)
class DataChoice:
    """Labelled examples that may be had here: `source` as `load_examples` takes it, and its name on screen."""

    source: str
    title: str


@dataclass(frozen=True)
class Drawn:
    """Examples for a run.

    Attributes:
        examples: what the networks answer.
        available: how many there were to draw from.
        title: what they are, in words.
        note: what did not go as asked, or None.
    """

    examples: Examples
    available: int
    title: str
    note: str | None = None


def data_choices(task: Task) -> list[DataChoice]:
    """Where labelled examples of a task may come from, the best first; none for a task that is only a user's own."""
    choices = []
    if task.name in TASKS:
        source = default_source()
        where = "from the Hugging Face hub" if source == "hub" else f"from the folder {Path(source).name or source}"
        choices.append(DataChoice(source, f"GLUE validation, {where}"))
    if probe_file(task) is not None:
        choices.append(DataChoice("probe", "Probe set, written for this project"))
    return choices


def draw(task: Task, split: str, source: str, most: int | None) -> Drawn:
    """Read examples and draw a seeded sample of them; the probe set takes the place of what cannot be read.

    Args:
        task: the task.
        split: one of its validation splits.
        source: of a `DataChoice`.
        most: how many examples at most; None for all.

    Raises:
        DataError: if there is no probe set either.
    """
    note = None
    try:
        if source == "hub" and not _hub_answers():
            raise DataError(
                f"the Hugging Face hub did not answer within {HUB_SECONDS:g} seconds; expected a network, or a folder "
                f"with GLUE in {SOURCE_VARIABLE}"
            )
        examples = load_examples(task, split, source)
    except DataError as error:
        reason = str(error).partition("; expected")[0]  # what follows is for those who type commands
        if source == "probe" or not any(choice.source == "probe" for choice in data_choices(task)):
            raise DataError(reason) from error
        note = f"GLUE's validation split cannot be read here ({reason}). The probe set takes its place."
        source, examples = "probe", load_examples(task, split, "probe")
    if source == "probe":
        title = "the probe set (written for this project)"
    else:
        title = f"GLUE {task.title} {split.replace('_', ' ')} ({'hub' if source == 'hub' else 'folder'})"
    return Drawn(sampled(examples, most), len(examples), title, note)


def sampled(examples: Examples, most: int | None) -> Examples:
    """At most so many of the examples, drawn with one seed, in their order; None for all."""
    if most is None or most >= len(examples):
        return examples
    return examples.take(np.sort(np.random.default_rng(SAMPLE_SEED).permutation(len(examples))[:most]))


def _hub_answers() -> bool:
    """Whether the hub is worth asking: it answers, or we are told to be offline, and then only the cache is asked."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return True
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        request = urllib.request.Request(endpoint, method="HEAD")  # noqa: S310  # https, or what the user set
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True  # it answered, though not with this page
    except (OSError, ValueError):
        return False
