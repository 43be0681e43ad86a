"""The pages and what they share: how they are found, linked and begun. Each module has one page's `render()`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from pruning.errors import SlimVizError
from slimviz import frames, loaders, sentences, state, theme
from slimviz.appearance import follow_theme
from slimviz.importance import SCALES

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

    from pruning.study import Study
    from slimviz.loaders import Library


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


PAGES = (
    PageEntry("overview", "Overview", "", ":material/summarize:", "What survived, and was it worth it?"),
    PageEntry("survivors", "Survivors", "survivors", ":material/grass:", "Where did neurons survive?"),
    PageEntry("heads", "Heads", "heads", ":material/grid_on:", "Which heads matter to which task?"),
    PageEntry("playground", "Playground", "play", ":material/forum:", "What would it say to me?"),
    PageEntry("live", "Live", "live", ":material/speed:", "How accurate and how fast, here, now?"),
)
BY_MODULE = {entry.module: entry for entry in PAGES}
# Streamlit leaves 6rem above a page; half of that shows one more row of numbers on a 720 pixels high screen. On a
# phone, Streamlit puts one column below the other; cells with a number each go two to a row.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 3.5rem; padding-bottom: 3rem}
@media (max-width: 640px) {
  [class*="st-key-cells-"] [data-testid="stColumn"] {min-width: 44% !important; flex: 1 1 44% !important}
  [class*="st-key-cells-"] [data-testid="stColumn"]:nth-child(5) {min-width: 100% !important}
}
</style>"""
COMMAND = "python -m pruning run --task sst2 --preset quick --output my-studies"


def page(module: str) -> StreamlitPage:
    """The page of that module, for `st.navigation` and for links."""
    entry = BY_MODULE[module]
    return st.Page(
        _renderer(module), title=entry.title, icon=entry.icon, url_path=entry.path or None, default=not entry.path
    )


def link(module: str, label: str, **parameters: str) -> None:
    """A link to a page that keeps this session and sets URL parameters (study, budget, head, ...)."""
    st.page_link(page(module), label=label, query_params=parameters)


def warn_of_teacher(row: dict[str, Any]) -> None:
    """Say where a teacher is not clearly above its floor (a row of `frames.overview_row`)."""
    if caution := sentences.teacher_sentence(row):
        st.markdown(f":material/warning: {theme.plain(caution)}")


def begin(module: str) -> Library:
    """Draw a page's headline, name the studies that cannot be read, and stop where there is none to show."""
    st.html(STYLE)
    with st.container(gap=None):
        follow_theme()
        st.header(BY_MODULE[module].question, anchor=False)
    library = loaders.library()
    for broken in library.broken:
        reason = broken.reason.removeprefix(f"{broken.folder}: ")
        st.warning(f"The study in {theme.plain(str(broken.folder))} cannot be shown: {theme.plain(reason)}")
    if not library.studies:
        st.info("There are no studies to show yet. This command makes one, in minutes on two cores:")
        st.code(COMMAND, language="bash")
        st.markdown("The dashboard looks in `assets/studies` and in the folders that `SLIMVIZ_STUDIES` names.")
        st.code("SLIMVIZ_STUDIES=my-studies streamlit run app.py", language="bash")
        st.stop()
    return library


def figure(label: str, value: str, below: str, explanation: str | None = None) -> None:
    """A number with its label above and what it was measured on, or belongs to, below."""
    with st.container(gap=None):
        st.metric(label, value, help=explanation)
        st.caption(theme.plain(below))


def choose_study(library: Library, label: str = "Study") -> str:
    """A select box for a study, in the URL as `study`; returns its key in `library.studies`."""
    titles = {key: frames.study_title(key, study) for key, study in library.studies.items()}
    return state.choose(st.selectbox, label, "study", list(titles), format_func=lambda key: titles.get(key, key))


def choose_budget(study: Study, label: str = "Budget") -> str:
    """A row of a study's budgets, in the URL as `budget`; returns the percentage as stored ("10")."""
    percents = frames.budgets(study)
    return state.choose(
        st.segmented_control,
        label,
        "budget",
        percents,
        fallback=frames.default_budget(percents),
        format_func=lambda percent: f"{percent}%",
        required=True,
        help="Stored parameters of the slim network, in percent of the teacher's (total density).",
    )


def choose_scale() -> str:
    """What colours of importance show, in the URL as `scale`; see `importance.SCALES`."""
    return state.choose(
        st.segmented_control,
        "Colours show",
        "scale",
        SCALES,
        required=True,
        help="Rank: the place among all others of a map or strip, green for as many as survive. Value: importance as "
        "a multiple of the cut-off, on a logarithmic scale.",
    )


def _renderer(module: str) -> Callable[[], None]:
    def render() -> None:
        try:
            importlib.import_module(f"slimviz.pages.{module}").render()
        except SlimVizError as error:
            st.error(theme.plain(str(error)))

    render.__name__ = f"render_{module}"
    return render
