"""Does the map tell the truth? What a teacher still scores with heads off, in the order of the map and others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pruning.data.task import METRIC_TITLES
from slimviz import sentences, theme
from slimviz.charts.ablation_curves import ablation_curves
from slimviz.frames.ablation import area_frame, band_frame, curve_frame
from slimviz.frames.heads import HeadStudy
from slimviz.frames.tidy import records
from slimviz.theme import Palette
from slimviz.widgets import parameters
from slimviz.widgets.downloads import Downloads


def show_truth_curves(studies: Sequence[HeadStudy], criterion: str, downloads: Downloads, palette: Palette) -> None:
    """One task's curves; the task is in the URL as `truth`.

    Args:
        studies: those shown.
        criterion: that the maps show.
        downloads: of the page.
        palette: the theme's colours.
    """
    st.subheader("Does the map tell the truth?", anchor=False)
    measured = {study.key: study.ablation for study in studies if study.ablation and criterion in study.ablation.curves}
    if not measured:
        st.info(f"No task shown has stored what its heads cost in the order of {theme.criterion_title(criterion)}.")
        return
    titles = {study.key: study.title for study in studies}
    key = parameters.choose(
        st.selectbox,
        "Heads of the teacher gated off, a twelfth at a time, in",
        "truth",
        list(measured),
        what="study",
        format_func=lambda key: titles.get(key, key),
    )
    ablation = measured[key]
    words = sentences.truth_sentence(ablation, criterion), sentences.area_sentence(ablation, criterion)
    said = " ".join(sentence for sentence in words if sentence)
    st.markdown(theme.plain(said))
    metric = METRIC_TITLES.get(ablation.metric, ablation.metric)
    curves, band = curve_frame(ablation, criterion), band_frame(ablation)
    downloads.draw(
        f"{titles[key]} with ever more heads off",
        ablation_curves(curves, band, ablation.floor, metric, palette),
        curves,
        width="stretch",
        alt=f"{titles[key]}: {metric} by heads off, by {theme.criterion_title(criterion)}. {said}",
    )
    split = ablation.split.replace("_", " ")
    st.caption(
        f"{ablation.rows:,} {theme.plain(split)} examples; nothing is trained in between. A true map: the solid line "
        "stays high, the dashed one falls at once, and random orders lie between the two."
    )
    with st.expander("Areas between the two curves, by criterion"):
        st.dataframe(
            pd.DataFrame(
                {
                    "Criterion": row["criterion"],
                    f"Area ({metric})": theme.score_text(row["area"]),
                    "Kept above the floor with half of the heads off": theme.kept_text(row["kept_at_half"]),
                }
                for row in records(area_frame(ablation))
            ),
            hide_index=True,
            alt=f"Area between the curves of each criterion in {titles[key]}",
        )
