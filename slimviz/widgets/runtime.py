"""Choosing what networks compute with, in the URL as `runtime`; why there is no more choice is said below."""

from __future__ import annotations

import streamlit as st

from slimviz import theme
from slimviz.live.runtimes import RUNTIMES, runtimes
from slimviz.state import Parsed, parse_choice
from slimviz.widgets import parameters

HELP = (
    "Teacher and slim network compute with the same one. ONNX Runtime reads a graph written from the network, in "
    "float32, or in int8, whose answers may differ a little."
)


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
