"""How every page begins, and the cells of numbers on it."""

from __future__ import annotations

import streamlit as st

from slimviz import loaders, results_in_words, theme, without_labels
from slimviz.frames.results import Summary
from slimviz.loaders import Library
from slimviz.state import UNKNOWN_PAGE, quoted
from slimviz.widgets.appearance import follow_theme
from slimviz.widgets.glossary import glossary
from slimviz.widgets.navigation import BY_MODULE

# Streamlit leaves 6rem above a page and 5rem beside it; less shows a whole first screen of 1280 x 720. On a phone,
# Streamlit puts one column below the other; cells with a number each go two to a row. Whatever has the keyboard's focus
# shows it, the marks of charts included. A clicked head's card stays in sight beside the maps, above them on a phone.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding: 3.75rem 2rem 3rem}
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] {gap: .65rem}
[data-testid="stMainBlockContainer"] h1 {font-size: 1.6rem; padding: 0; line-height: 1.25}
[data-testid="stMainBlockContainer"] h3 {font-size: 1.25rem; padding: .4rem 0 .5rem}
[data-testid="stMain"] :focus-visible {outline: 2px solid currentColor !important; outline-offset: 2px}
[class*="st-key-figures"] [data-testid="stMetricValue"] {
  font-size: 1.3rem; font-weight: 600; line-height: 1.2; padding: 0}
[class*="st-key-figures"] [data-testid="stMetricValue"] * {white-space: normal}
[class*="st-key-figures"] [data-testid="stMetric"] {padding-top: .5rem}
[class*="st-key-figures"] [data-testid="stMetricLabel"] {min-height: 0}
[class*="st-key-figures"] [data-testid="stCaptionContainer"] p {font-size: .8rem; line-height: 1.2; margin: 0}
[class*="st-key-cells-"] [data-testid="stMetricValue"] {font-size: 1.6rem}
[data-testid="stColumn"]:has(.st-key-head-card) {position: sticky; top: 4.5rem; align-self: flex-start}
@media (max-width: 640px) {
  [data-testid="stColumn"]:has(.st-key-head-card) {position: static; order: -1}
  [data-testid="stMainBlockContainer"] {padding-left: 1rem; padding-right: 1rem}
  [class*="st-key-cells-"] [data-testid="stColumn"] {min-width: 44% !important; flex: 1 1 44% !important}
  [class*="st-key-cells-"] [data-testid="stColumn"]:nth-child(5) {min-width: 100% !important}
  [class*="st-key-cells-"] [data-testid="stMetricLabel"] * {white-space: normal !important}
}
</style>"""

COMMAND = "python -m pruning run --task sst2 --preset quick --output my-studies"


def begin(module: str) -> Library:
    """Draw a page's headline, name the studies that cannot be read, and stop where there is none to show."""
    st.html(STYLE)
    library = loaders.library()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(gap=None, width="content"):
            follow_theme()
            st.title(BY_MODULE[module].question, anchor=False)
        labelled = [study.task.is_labelled for study in library.studies.values()]
        glossary(has_labels=any(labelled) or not labelled)
    if asked := st.query_params.get(UNKNOWN_PAGE):
        st.warning(f"There is no page {quoted(asked)} here; this is the first one.")
    for broken in library.broken:
        reason = broken.reason.removeprefix(f"{broken.folder}: ")
        st.warning(f"The study in {theme.plain(str(broken.folder))} cannot be shown: {theme.plain(reason)}")
    if not library.studies:
        st.info("There are no studies to show yet. This command makes one, in minutes on two cores:")
        st.code(COMMAND, language="bash")
        st.markdown("The dashboard shows the studies that ship with it and those in the folders it is given:")
        st.code("python -m slimviz dashboard my-studies", language="bash")
        st.stop()
    return library


def warn_of_teacher(row: Summary) -> None:
    """Say where a teacher is not clearly above its floor, or where agreement with it says little."""
    if row.is_labelled:
        caution = results_in_words.teacher_sentence(row.title, row.teacher, row.floor)
    else:
        caution = without_labels.caution(row)
    if caution:
        st.markdown(f":material/warning: {theme.plain(caution)}")


def figure(label: str, value: str, below: str, explanation: str | None = None) -> None:
    """A number with its label above and what it was measured on, or belongs to, below."""
    with st.container(gap=None):
        st.metric(theme.plain(label), value, help=explanation)
        st.caption(theme.plain(below))
