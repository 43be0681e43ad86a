"""Choosing what networks compute with, in the URL as `runtime`; why there is no more choice is said below.

With how many threads is this machine's matter, like the device, and not in the URL.
"""

from __future__ import annotations

import streamlit as st

from slimviz import theme
from slimviz.live.networks import all_threads
from slimviz.live.runtimes import RUNTIMES, runtimes
from slimviz.state import Parsed, parse_choice
from slimviz.widgets import parameters

HELP = (
    "Teacher and slim network compute with the same one. ONNX Runtime reads a graph written from the network, in "
    "float32, or in int8, whose answers may differ a little."
)
THREADS_HELP = "Of the processor, for this run: the same number for both networks, in any runtime."


def choose_runtime(device: str = "cpu") -> str:
    """A row of runtimes that there are on a device; returns the name of one."""
    offered, reason = runtimes(device)
    names = [runtime.name for runtime in offered]

    def parse(raw: str | None) -> Parsed[str]:
        if raw in RUNTIMES and raw not in names:  # right elsewhere
            return Parsed(names[0], f"{theme.plain(reason or '')}; showing {names[0]}.", wanted=raw)
        return parse_choice("runtime", raw, names, names[0])

    chosen = parameters.choose(
        st.radio,
        "Runtime",
        "runtime",
        names,
        parse=parse,
        format_func=lambda name: RUNTIMES[name].title,
        horizontal=True,
        help=HELP,
    )
    if reason:
        st.caption(theme.plain(reason))
    return chosen


def choose_threads() -> int | None:
    """A box of how many threads of the processor a run takes; None, and no box, where there is one alone."""
    most = all_threads()
    counts = thread_counts(most)
    if len(counts) == 1:
        return None
    return st.selectbox(
        "Threads",
        counts,
        index=len(counts) - 1,
        format_func=lambda count: f"{count} (all)" if count == most else str(count),
        key="live-threads",
        help=THREADS_HELP,
    )


def thread_counts(most: int) -> list[int]:
    """1, 2, 4 and so on, and all of them: `thread_counts(6)` is [1, 2, 4, 6]."""
    return [*(2**power for power in range((most - 1).bit_length())), most]
