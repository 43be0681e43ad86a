"""Overview: what survived, and was it worth it? One card a study, and the chosen study in detail."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pruning.errors import SlimVizError
from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.frames.provenance import command_text, provenance_text, shape_words
from slimviz.frames.results import budgets, default_budget, overview_row
from slimviz.frames.survival import survival_frame
from slimviz.widgets import parameters
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_study
from slimviz.widgets.frame import begin, figure, warn_of_teacher
from slimviz.widgets.navigation import link

FLOOR_HELP = "The score of always answering the most frequent class; 0 for MCC and correlations."


def render() -> None:
    """Draw the page."""
    library = begin("overview")
    percents = sorted({p for study in library.studies.values() for p in budgets(study)}, key=float, reverse=True)
    if not percents:
        st.info("None of these studies has a stored budget yet; `python -m pruning run` makes them.")
        return
    percent = parameters.choose(
        st.segmented_control,
        "Budget: parameters kept, in percent of the teacher's",
        "budget",
        percents,
        fallback=default_budget(percents),
        format_func=lambda text: f"{text}%",
        required=True,
    )
    rows = [overview_row(key, study, percent) for key, study in library.studies.items()]
    st.markdown(f"**{theme.plain(sentences.overview_headline(rows, percent))}**")
    places = []
    for row in rows:
        with st.container(border=True, gap="xsmall"):
            places.append(_card(library.studies[row["study"]], row))
    for row, place in zip(rows, places, strict=True):  # numbers first: charts take a second to import
        with place:
            _map(library.studies[row["study"]], row["percent"], row["title"])
            link("heads", "See heads", study=row["study"], budget=row["percent"])
    st.subheader("One study at every budget", anchor=False)
    chosen = choose_study(library)
    _details(chosen, library.studies[chosen])


def _card(study: Study, row: dict[str, Any]) -> DeltaGenerator:
    """One study at one budget: cells that each lead to the page that explains them; returns the map's place."""
    st.markdown(f"**{theme.plain(row['title'])}** :small[{theme.plain(study.task.description)}]")
    where = {"study": row["study"], "budget": row["percent"]}
    with st.container(key=f"cells-of-{row['study']}"):
        metric, retention, density, speed, where_left = st.columns([1.15, 1.1, 1.1, 1.1, 1.9])
    with metric:
        counts = theme.count_text(row["slim_correct"], row["slim_count"]) if row["slim_count"] else "no result"
        teacher = theme.count_text(row["teacher_correct"], row["teacher_count"])
        teacher = f" ({teacher})" if row["teacher_correct"] is not None else ""
        figure(
            row["metric"],
            theme.score_text(row["slim_score"]),
            f"{counts} · teacher {theme.score_text(row['teacher_score'])}{teacher} · "
            f"floor {theme.score_text(row['floor'])}{_others(row)}",
            FLOOR_HELP,
        )
        link("live", "Measure it here", **where)
    with retention:
        figure(
            "Retention",
            theme.percent_text(row["retention"]),
            f"{theme.percent_text(row['retention_above_floor'])} above floor{_interval(row)}",
            "The slim network's metric divided by the teacher's. Above floor: what both reach beyond the floor. "
            "Points: slim minus teacher, with the 95% interval of a paired bootstrap.",
        )
        link("playground", "Ask it something", **where)
    with density:
        figure(
            "Total density",
            theme.percent_text(row["total_density"]),
            f"encoder {theme.percent_text(row['encoder_density'])} · {_size(row)}",
            "Stored parameters divided by the teacher's, embeddings, pooler and classifier included.",
        )
        link("survivors", "See survivors", **where, density=row["percent"])
    with speed:
        figure(
            "Speed-up, batch 32",
            theme.times_text(row["speedup_32"]),
            _speed(row),
            "Teacher's median latency divided by the slim network's, interleaved in one run.",
        )
        link("live", "Time it here", **where)
    warn_of_teacher(row)
    st.caption(theme.plain(provenance_text(study)))
    return where_left


def _others(row: dict[str, Any]) -> str:
    """The task's further metrics, where it has any."""
    return "".join(
        f" · {title} {theme.score_text(slim)}, teacher {theme.score_text(teacher)}"
        for title, slim, teacher in row["others"]
    )


def _interval(row: dict[str, Any]) -> str:
    if not theme.is_known(row["difference"]):
        return ""
    span = ""
    if theme.is_known(row["interval_low"]) and theme.is_known(row["interval_high"]):
        span = f" ({theme.points_text(row['interval_low'])} to {theme.points_text(row['interval_high'])})"
    return f" · {theme.points_text(row['difference'])} points{span}"


def _size(row: dict[str, Any]) -> str:
    if not theme.is_known(row["slim_bytes"]):
        return "numbers only, no weights stored"
    teacher = f", teacher {theme.bytes_text(row['teacher_bytes'])}" if theme.is_known(row["teacher_bytes"]) else ""
    return f"{theme.bytes_text(row['slim_bytes'])} on disk{teacher}"


def _speed(row: dict[str, Any]) -> str:
    if not isinstance(row["conditions"], str):
        return "not measured at this budget"
    return f"{theme.times_text(row['speedup_1'])} at batch 1 · {row['conditions']}"


def _map(study: Study, percent: str, title: str) -> None:
    """Surviving share per layer and site."""
    from slimviz.charts.survival_map import survival_map

    if percent not in study.data["selections"]:
        st.caption(f"No masks at {theme.plain(percent)}%.")
        return
    try:
        survival = survival_frame(loaders.masks(study, percent))
    except SlimVizError as error:
        st.error(theme.plain(str(error)))
        return
    sentence = sentences.map_sentence(survival)
    st.caption(theme.plain(sentence))
    st.altair_chart(
        survival_map(survival, current_palette()),
        width="stretch",
        alt=f"Surviving share of {title} by layer and site. {sentence}",
    )


def _details(key: str, study: Study) -> None:
    """All budgets of the chosen study, and its provenance in full."""
    rows = [overview_row(key, study, percent) for percent in budgets(study)]
    if not rows:
        st.info("This study has no stored budget yet.")
        return
    st.markdown(theme.plain(sentences.budget_sentence(rows, rows[0]["title"])))
    metric = rows[0]["metric"]
    st.table(
        [
            {
                "Budget": f"{row['percent']}%",
                "Stored": "numbers and weights" if row["ships_weights"] else "numbers only",
                theme.plain(metric): theme.score_text(row["slim_score"]),
                **{theme.plain(title): theme.score_text(slim) for title, slim, _ in row["others"]},
                "Counted": theme.count_text(row["slim_correct"], row["slim_count"]),
                "Before recovery": theme.score_text(row["one_shot_score"]),
                "Retention": theme.percent_text(row["retention"]),
                "Above floor": theme.percent_text(row["retention_above_floor"]),
                "Total density": theme.percent_text(row["total_density"], 2),
                "Encoder density": theme.percent_text(row["encoder_density"], 2),
                "FLOPs": theme.percent_text(row["flop_ratio"]),
            }
            for row in rows
        ],
        alt=f"Results of {rows[0]['title']} at every stored budget",
    )  # fmt: skip
    with st.expander("Where these numbers come from"):
        provenance = study.data["provenance"]
        st.code(command_text(study), language="bash", wrap_lines=True)
        libraries = ", ".join(f"{name} {version}" for name, version in provenance["libraries"].items())
        backbone = study.data["backbone"]
        st.markdown(
            f"Backbone {theme.plain(backbone['name'])} from {theme.plain(backbone['source'])}, "
            f"sha256 {theme.plain(backbone['sha256'][:16])}…: {shape_words(study.shape)}.  \n"
            f"Split {theme.plain(str(rows[0]['split']))}; {theme.plain(libraries)}.  \n"
            f"Folder {theme.plain(str(study.folder))}"
        )
