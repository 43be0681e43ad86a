"""What a clicked head does on the probe sentences: where its attention goes, beside one that looks evenly."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pruning.data.probe import probe_file
from pruning.data.sources import load_examples
from pruning.errors import SlimVizError
from pruning.study import Study
from pruning.variants import TEACHER, Variant
from slimviz import sentences, theme
from slimviz.frames.attention import Habits, habit_rows
from slimviz.frames.results import study_title
from slimviz.live.attention import habits
from slimviz.live.networks import load_network, teacher_problem, version
from slimviz.widgets import networks, parameters

OFF = "off"  # how the URL says that nothing is measured
CACHED = 32  # networks whose habits are kept, all heads of each


def show_head_habits(
    head: tuple[int, int] | None, studies: Mapping[str, Study], askable: Mapping[str, str | None]
) -> None:
    """A choice of the study whose networks read its probe sentences, in the URL as `habits`, and the head's habits.

    Args:
        head: layer and head from 0; None for none chosen.
        studies: by key.
        askable: by study, the budget whose network can be asked.
    """
    titles = {key: study_title(key, study) for key, study in studies.items() if probe_file(study.task)}
    if head is None or not titles:
        return
    key = parameters.choose(
        st.selectbox,
        "Its habits, measured on the probe sentences of",
        "habits",
        [OFF, *titles],
        what="study",
        format_func=lambda option: titles.get(option, "no task: it takes some seconds"),
    )
    if key == OFF:
        return
    study, budget = studies[key], askable[key]
    wanted = () if teacher_problem(study) else (TEACHER,)
    wanted += () if budget is None else (study.final(budget),)
    found: dict[str, Habits] = {}
    for variant in wanted:
        try:
            found[networks.name(variant)] = _habits(str(study.folder), version(study), variant, study)
        except SlimVizError as error:
            st.warning(theme.plain(f"{networks.name(variant)}: {error}"))
    if found:
        st.table(habit_rows(found, head), alt=f"Where {theme.head_title(*head)} looks in {titles[key]}")
        st.caption(theme.plain(sentences.habit_sentence(found, head)))


@st.cache_data(max_entries=CACHED, show_spinner="Reading the probe sentences …", hash_funcs={Variant: str})
def _habits(folder: str, stored_version: int, variant: Variant, _study: Study) -> Habits:
    del folder, stored_version  # only part of the cache's key
    examples = load_examples(_study.task, _study.task.validation[0], "probe")
    return habits(load_network(_study, variant), _study.shape.heads, examples)
