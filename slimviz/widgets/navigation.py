"""The list of pages, and links to them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from slimviz import theme
from slimviz.widgets.guard import guard

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage


@dataclass(frozen=True)
class PageEntry:
    """One page of the dashboard; its module is imported when it is first shown.

    Attributes:
        module: module below `slimviz.pages`.
        title: name in the navigation.
        path: URL path; "" for the page that opens first.
        icon: Material symbol.
        question: the one question that the page answers, its headline.
    """

    module: str
    title: str
    path: str
    icon: str
    question: str


# What came out, what is inside, and what can be tried, in this order. Groups of st.navigation would say so, but at the
# top of a page they are menus that hide every page's name, the one that is open included.
PAGES = (
    PageEntry(
        "overview",
        "Overview",
        "",
        ":material/summarize:",
        "SlimViz: BERT cut small for each task. What survived, and was it worth it?",
    ),
    PageEntry("tradeoffs", "Trade-offs", "tradeoffs", ":material/balance:", "Structural or sparse?"),
    PageEntry("advice", "Advice", "advice", ":material/rule:", "Which one fits what I can spend?"),
    PageEntry("study", "Study", "study", ":material/fact_check:", "Can I trust it?"),
    PageEntry("survivors", "Survivors", "survivors", ":material/grass:", "Where did neurons survive?"),
    PageEntry("heads", "Heads", "heads", ":material/grid_on:", "Which heads matter to which task?"),
    PageEntry("anatomy", "Anatomy", "anatomy", ":material/donut_small:", "What is BERT made of, and what is left?"),
    PageEntry("playground", "Playground", "play", ":material/forum:", "What would it say to me?"),
    PageEntry("live", "Live", "live", ":material/speed:", "How accurate and how fast, here, now?"),
)
BY_MODULE = {entry.module: entry for entry in PAGES}


def page(module: str) -> StreamlitPage:
    """The page of that module, for `st.navigation` and for links."""
    entry = BY_MODULE[module]
    return st.Page(
        _renderer(module), title=entry.title, icon=entry.icon, url_path=entry.path or None, default=not entry.path
    )


def link(module: str, label: str, **parameters: str) -> None:
    """A link to a page that keeps this session and sets URL parameters (study, budget, head, ...)."""
    st.page_link(page(module), label=theme.plain(label), query_params=parameters)


def _renderer(module: str) -> Callable[[], None]:
    def render() -> None:
        with guard("This page"):
            importlib.import_module(f"slimviz.pages.{module}").render()

    render.__name__ = f"render_{module}"
    return render
