"""Heads: which heads matter to which task? Maps side by side on one scale, differences, similarity of tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.charts.head_map import CLICK, Head, head_map
from slimviz.charts.scales import RANK_BOUNDS, RANK_TICKS, importance_bounds, importance_legend
from slimviz.frames.budgets import askable_budget, budgets
from slimviz.frames.heads import HeadStudy, backbone_groups, criteria, head_frame, opening_criterion
from slimviz.frames.results import study_title, summarise
from slimviz.frames.tidy import groups
from slimviz.state import NONE, format_head, head_option_title, parse_head
from slimviz.theme import Palette
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.chart import draw_chart
from slimviz.widgets.choices import choose_budget, choose_scale
from slimviz.widgets.downloads import Downloads
from slimviz.widgets.frame import begin, warn_of_teacher
from slimviz.widgets.guard import guard
from slimviz.widgets.head_card import show_head_card
from slimviz.widgets.head_habits import show_head_habits
from slimviz.widgets.task_comparison import show_task_difference, show_task_similarity
from slimviz.widgets.task_dna import show_task_dna
from slimviz.widgets.truth_curves import show_truth_curves

MAPS_A_ROW = 2
Chosen = tuple[int, int] | None  # layer and head, from 0


def render() -> None:
    """Draw the page."""
    library = begin("heads")
    shown, budget = _choose_studies(library.studies)
    for key, study in shown.items():
        with guard(f"The score of {study_title(key, study)}'s teacher"):
            warn_of_teacher(summarise(key, study, budget))
    studies = _load(shown, budget)
    if studies and not criteria(studies):
        st.info("These studies share no criterion that ranks attention heads, so there is nothing to map.")
    elif studies:
        _explore(studies, budget, shown)


@st.fragment
def _explore(studies: list[HeadStudy], budget: str, shown: Mapping[str, Study]) -> None:
    """Everything that follows a click on a head; only this part runs again.

    Args:
        studies: of one backbone.
        budget: whose masks are shown.
        shown: the studies themselves, by key.
    """
    askable = {key: askable_budget(study, budget) for key, study in shown.items()}
    palette, downloads = current_palette(), Downloads("heads")
    criterion, scale, chosen = _choose_view(studies)
    frames = []
    for study in studies:
        with guard(study.title):
            frames.append(head_frame([study], criterion, scale))
    if not frames:
        return
    heads = pd.concat(frames, ignore_index=True)
    left, right = st.columns([7, 3], gap="medium")
    with right, st.container(key="head-card"), guard("This head"):
        show_head_card(heads, chosen, askable)
        show_head_habits(chosen, shown, askable)
    outlined = None if chosen is None else (chosen[0] + 1, chosen[1] + 1)
    with left, guard("The heads that survive"):
        st.markdown(f"**{theme.plain(sentences.heads_sentence(heads, budget))}**")
        if len(frames) > 1:
            show_task_dna(heads, outlined, _pick, downloads, palette)
    with left, guard("The maps"):
        truths = {study.key: sentences.truth_sentence(study.ablation, criterion) for study in studies}
        _maps(heads, criterion, scale, outlined, truths, downloads, palette)
    if len(frames) > 1:
        with guard("The difference"):
            show_task_difference(heads, scale, outlined, _pick, downloads, palette)
        with guard("The similarities"):
            show_task_similarity(heads, downloads, palette)
    else:
        st.info("Differences and similarities appear once two studies of the same backbone are shown.")
    with guard("The truth of the maps"):
        show_truth_curves(studies, criterion, downloads, palette)
    with guard("The table"):
        _table(heads)
    downloads.offer()


def _choose_studies(studies: dict[str, Study]) -> tuple[dict[str, Study], str]:
    """Studies of one backbone, and the budget; in the URL as `backbone`, `studies` and `budget`."""
    backbones = backbone_groups(studies)
    names = list(backbones)
    current = next((name for name, keys in backbones.items() if parameters.read("study") in keys), names[0])
    name = current
    if len(names) > 1:
        name = parameters.choose(
            st.selectbox,
            "Backbone (heads of different backbones are different things, so they never share a map)",
            "backbone",
            names,
            fallback=current,
        )
    keys = backbones[name]
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        titles = {key: study_title(key, studies[key]) for key in keys}
        own = [key for key in keys if not studies[key].is_by_rival]  # a rival's is no task of its own
        chosen = parameters.choose_several(
            "Studies", "studies", keys, fallback=own or keys, what="study", format_func=lambda key: titles.get(key, key)
        )
    offered = budgets(*(studies[key] for key in chosen))
    if not offered:
        st.info("None of these studies has a stored budget yet.")
        st.stop()
    with right:
        budget = choose_budget(offered)
    return {key: studies[key] for key in chosen}, budget


def _load(studies: dict[str, Study], budget: str) -> list[HeadStudy]:
    """Factors and masks of the chosen studies; what cannot be read is said and left out."""
    loaded = []
    for key, study in studies.items():
        title = study_title(key, study)
        if budget not in study.selections:
            missing = theme.plain(theme.budget_title(budget))
            st.warning(f"{theme.plain(title)} has no masks at {missing}, so it is left out.")
            continue
        with guard(title):
            factors, masks = loaders.factors(study), loaders.masks(study, budget)
            loaded.append(HeadStudy(key, title, factors, masks, study.head_criterion, study.ablation()))
    return loaded


def _choose_view(studies: list[HeadStudy]) -> tuple[str, str, Chosen]:
    """Criterion, colour scale and head; in the URL as `criterion`, `scale` and `head`."""
    shape = studies[0].factors.shape
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    with left:
        criterion = parameters.choose(
            st.selectbox,
            "Importance by",
            "criterion",
            criteria(studies),
            fallback=opening_criterion(studies),
            format_func=theme.criterion_title,
        )
    with middle:
        scale = choose_scale()
    chosen = parameters.resolve("head", lambda raw: parse_head(raw, shape.layers, shape.heads), format_head)
    options = [NONE, *(format_head(place) for place in np.ndindex(shape.layers, shape.heads))]
    with right:
        parameters.choose(
            st.selectbox, "Head (or click one)", "head", options, format_func=head_option_title, key="head-box"
        )
    return criterion, scale, chosen


def _maps(
    heads: pd.DataFrame,
    criterion: str,
    scale: str,
    outlined: Head | None,
    truths: Mapping[str, str | None],
    downloads: Downloads,
    palette: Palette,
) -> None:
    """One map a study, all on one scale, each with what is known of its truth."""
    by_rank = scale == "rank"
    bounds = RANK_BOUNDS if by_rank else importance_bounds(heads["relative"])
    left, right = st.columns([1, 2])
    with left:
        draw_chart(
            importance_legend(bounds, palette, RANK_TICKS if by_rank else None),
            width="stretch",
            alt="Colours: pink below, green above",
        )
    with right:
        st.caption(
            f"{theme.plain(theme.criterion_title(criterion))}, mean over a head's units; all maps on one scale. Green: "
            "among the most important, as many as survive in that task; pink: further down. × marks a head "
            "that was cut."
        )
    by_study = groups(heads, "study")
    width = min(MAPS_A_ROW, len(by_study))
    for start in range(0, len(by_study), width):
        for column, (key, group) in zip(st.columns(width), by_study[start : start + width], strict=False):
            with column:
                title = group["title"].iloc[0]
                words = sentences.head_map_sentence(group)
                st.markdown(f"**{theme.plain(title)}** :small[{theme.plain(words)}]")
                name = f"heads-of-{key}"
                downloads.draw(
                    f"Heads of {title}",
                    head_map(group, bounds, outlined, palette),
                    group,
                    width="stretch",
                    key=name,
                    on_select=lambda name=name: _pick(name),
                    alt=f"Heads of {title} by layer: {words}",
                )
                if truth := truths.get(key):
                    st.caption(theme.plain(truth))


def _pick(key: str) -> None:
    """A click on a map: choose that head, or none if it was chosen already."""
    cell = parameters.clicked(key, CLICK)
    if cell is not None:
        head = f"{cell['layer']}-{cell['head']}"
        parameters.change(head=NONE if parameters.read("head") == head else head)


def _table(heads: pd.DataFrame) -> None:
    """The maps as a table, to read, sort and download."""
    with st.expander("The same as a table"):
        columns = {
            "title": "Task",
            "layer": "Layer",
            "head": "Head",
            "rank": "Rank",
            "importance": "Importance",
            "fate": "Fate",
            "units": "Units kept",
        }
        st.dataframe(
            pd.DataFrame({title: heads[name] for name, title in columns.items()}),
            hide_index=True,
            alt="Every head of every task shown",
        )
