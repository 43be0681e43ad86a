"""A run at work in the background, on a page: how far it is, its stop, and what it measured once it is over."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pruning.errors import SlimVizError
from slimviz import theme
from slimviz.live.background import BackgroundRun

DRAW_SECONDS = 0.5  # between two drawings of the progress bar: each costs the measured machine some work


def watch(running: str, stop: str) -> None:
    """Draw how far a run is; only this part of the page runs again while it is at work.

    Args:
        running: where the session keeps the run.
        stop: key of the button that stops it.
    """
    st.fragment(_watch, run_every=DRAW_SECONDS)(running, stop)


def _watch(name: str, stop: str) -> None:
    running: BackgroundRun | None = st.session_state.get(name)
    if running is None:
        return
    if running.is_over:
        st.rerun()
    st.progress(min(1.0, running.step.share), text=running.step.text)
    st.button("Stop measuring", key=stop, icon=":material/stop:", on_click=running.run.stop)
    st.caption("It goes on while you look at other pages; what is done when you stop is kept.")


def take(name: str) -> list[dict[str, Any]]:
    """The rows of a run that has ended, which the session then forgets; says why where it failed, none otherwise."""
    running: BackgroundRun | None = st.session_state.get(name)
    if running is None or not running.is_over:
        return []
    del st.session_state[name]
    if running.error is not None:
        st.error(theme.plain(running.error))
        return []
    try:
        return running.run.rows()
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        return []
