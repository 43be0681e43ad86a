"""Head surgery: copies of the shared networks without some heads, and what they answer to examples.

The networks that sessions share stay as they are: a copy has matrices of its own where a head is gone, and shares the
rest, which nobody writes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from pruning.study import Study
from pruning.variants import Variant
from slimviz.live.answers import batch_of
from slimviz.live.networks import Network, computing, version

if TYPE_CHECKING:
    from pruning.data.examples import Examples

Head = tuple[int, int]  # layer and head, from 0, as the teacher numbers them
Cut = tuple[Head, ...]  # sorted
CACHED_WHOLE = 2  # teachers once more, as slim networks: 440 MB for one of BERT-base's size
CACHED_COPIES = 8  # own matrices in layers that lost a head: 57 MB at most for the embedded backbone's shape
EXAMPLES_AT_ONCE = 32  # then others may compute, and whoever asked may change their mind
CACHED_PARTS = 2048  # answers to that many examples each: a kilobyte
CACHED_TURNS = 256  # answers of one network to one example with each of its heads turned over: two kilobytes
HEADS_AT_ONCE = 36  # turned over in one forward pass, so many rows


def whole(study: Study, network: Network) -> Network:
    """The network that surgery starts from: the slim one itself, the teacher as a slim network with nothing cut.

    So what a cut changes in its answers and milliseconds is the cut's doing, and not that of another implementation.
    """
    return _whole(str(study.folder), version(study), network) if network.variant.is_teacher else network


@st.cache_resource(max_entries=CACHED_WHOLE, show_spinner=False)
def _whole(folder: str, stored_version: int, _teacher: Network) -> Network:
    del folder, stored_version  # only part of the cache's key
    from pruning.slimbert import dense_from_bert

    with computing():  # building a network changes torch's defaults for a moment
        return replace(_teacher, model=dense_from_bert(_teacher.model))


def heads_in(network: Network) -> Cut:
    """The heads that a network of `whole` has."""
    return tuple((layer, head) for layer, heads in enumerate(network.model.config.kept_heads) for head in heads)


def operated(study: Study, network: Network, cut: Cut) -> Network:
    """A copy of a network of `whole` without these heads; the network itself where there are none to cut."""
    return _operated(str(study.folder), version(study), network.variant, cut, network) if cut else network


@st.cache_resource(max_entries=CACHED_COPIES, show_spinner=False, hash_funcs={Variant: str})
def _operated(folder: str, stored_version: int, variant: Variant, cut: Cut, _network: Network) -> Network:
    del folder, stored_version, variant  # only part of the cache's key
    from pruning.compress.without_heads import without_heads

    with computing():
        return replace(_network, model=without_heads(_network.model, cut))


def answered(study: Study, network: Network, cut: Cut, examples: Examples) -> Iterator[np.ndarray]:
    """What a network of `operated` says to ever more of some examples, (examples so far, labels); all, at the end.

    Args:
        study: whose network it is.
        network: it.
        cut: what was cut from it.
        examples: the same ones are answered once, whoever asks.
    """
    place = (str(study.folder), version(study), network.variant, cut, examples.sha256)
    parts: list[np.ndarray] = []
    for start in range(0, len(examples), EXAMPLES_AT_ONCE):
        parts.append(_part(*place, start, network, examples))
        yield np.concatenate(parts)


@st.cache_data(max_entries=CACHED_PARTS, show_spinner=False, hash_funcs={Variant: str})
def _part(
    folder: str,
    stored_version: int,
    variant: Variant,
    cut: Cut,
    sha256: str,
    start: int,
    _network: Network,
    _examples: Examples,
) -> np.ndarray:
    del folder, stored_version, variant, cut, sha256  # only part of the cache's key
    from pruning.measure.logits import predict_logits

    rows = np.arange(start, min(start + EXAMPLES_AT_ONCE, len(_examples)))
    with computing():
        return predict_logits(_network, _examples.take(rows))


def each_turned_over(study: Study, network: Network, off: Cut, heads: Cut, example: Examples) -> np.ndarray:
    """What a network of `whole` says to one example with each head in the other state than it was.

    Args:
        study: whose network it is.
        network: it.
        off: heads that are cut beforehand.
        heads: those turned over, one at a time.
        example: one.

    Returns:
        (1 + heads, labels); see `pruning.measure.single_heads.turned_over`.
    """
    place = (str(study.folder), version(study), network.variant, off, heads, example.sha256)
    return _each_turned_over(*place, network, example)


@st.cache_data(max_entries=CACHED_TURNS, show_spinner=False, hash_funcs={Variant: str})
def _each_turned_over(
    folder: str,
    stored_version: int,
    variant: Variant,
    off: Cut,
    heads: Cut,
    sha256: str,
    _network: Network,
    _example: Examples,
) -> np.ndarray:
    del folder, stored_version, variant, sha256  # only part of the cache's key
    from pruning.measure.single_heads import turned_over

    with computing():
        inputs, _, _ = batch_of(_network, _example)
    answers = []
    for start in range(0, max(1, len(heads)), HEADS_AT_ONCE):
        with computing():
            answers.append(turned_over(_network.model, inputs, off, heads[start : start + HEADS_AT_ONCE]))
    return np.concatenate([answers[0], *(part[1:] for part in answers[1:])])
