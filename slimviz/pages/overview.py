"""Overview: what survived, and was it worth it? One card a study, and the chosen study in detail."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pruning.study import Study
from slimviz import loaders, sentences, theme
from slimviz.frames.budgets import budgets
from slimviz.frames.provenance import description_text, provenance_text, shape_words
from slimviz.frames.results import Summary, study_title, summarise
from slimviz.frames.survival import survival_frame
from slimviz.widgets.appearance import current_palette
from slimviz.widgets.choices import choose_budget, choose_study
from slimviz.widgets.frame import begin, figure, warn_of_teacher
from slimviz.widgets.guard import guard
from slimviz.widgets.navigation import link

FLOOR_HELP = (
    "Floor: the score of always answering the most frequent class; 0 for MCC and correlations. Over seeds: mean and "
    "standard deviation of networks cut alike and recovered with another seed each."
)
AGREEMENT_HELP = (
    "Nobody has labelled these texts, so nobody counts what is right: the slim network's answers are held against its "
    "teacher's, on texts that were held out. One same answer to all: how often always giving the teacher's most "
    "frequent answer would agree."
)


def render() -> None:
    """Draw the page."""
    library = begin("overview")
    offered = budgets(*library.studies.values())
    if not offered:
        st.info("None of these studies has a stored budget yet; `python -m pruning run` makes them.")
        return
    budget = choose_budget(offered, "Budget: parameters kept, in percent of the teacher's")
    rows = _summaries(library.studies, budget)
    with guard("The headline"):
        st.markdown(f"**{theme.plain(sentences.overview_headline(rows, budget))}**")
    places: list[tuple[Summary, DeltaGenerator]] = []
    for row in rows:
        with st.container(border=True, gap="xsmall"), guard(row.title):
            places.append((row, _card(library.studies[row.key], row)))
    for row, place in places:  # numbers first: charts take a second to import
        with place:
            with guard(f"The map of {row.title}"):
                _map(library.studies[row.key], row)
            link("heads", "See heads", study=row.key, budget=row.budget)
    st.subheader("One study at every budget", anchor=False)
    chosen = choose_study(library)
    study = library.studies[chosen]
    with guard(study_title(chosen, study)):
        _details(study, [summarise(chosen, study, name) for name in budgets(study)])


def _summaries(studies: dict[str, Study], budget: str) -> list[Summary]:
    """What is known of each study at a budget, those with a result first; a line where one cannot be shown."""
    rows = []
    for key, study in studies.items():
        with guard(study_title(key, study)):
            rows.append(summarise(key, study, budget))
    return sorted(rows, key=lambda row: row.slim.score is None)


def _card(study: Study, row: Summary) -> DeltaGenerator:
    """One study at one budget: cells that each lead to the page that explains them; returns the map's place."""
    st.markdown(f"**{theme.plain(row.title)}** :small[{theme.plain(description_text(study))}]")
    where = {"study": row.key, "budget": row.budget}
    with st.container(key=f"cells-of-{row.key}"):
        metric, beside, density, speed, where_left = st.columns([1.15, 1.1, 1.1, 1.1, 1.9])
    with metric:
        _metric(row) if row.is_labelled else _agreement(row)
        link("live", "Measure it here", **where)
    with beside:
        _retention(row) if row.is_labelled else _divergence(row)
        link("playground", "Ask it something", **where)
    with density:
        figure(
            "Total density",
            theme.percent_text(row.total_density),
            f"encoder {theme.percent_text(row.encoder_density)} · {_size(row)}",
            "Stored parameters divided by the teacher's, embeddings, pooler and classifier included.",
        )
        link("survivors", "See survivors", **where, density=row.budget)
    with speed:
        figure(
            "Speed-up, batch 32",
            theme.times_text(row.speedup_32),
            _speed(row),
            "Teacher's median latency divided by the slim network's, interleaved in one run.",
        )
        link("live", "Time it here", **where)
    warn_of_teacher(row)
    if said := sentences.study_sentence(row.title, study):
        st.markdown(f":material/info: {theme.plain(said)}")
    st.caption(theme.plain(provenance_text(study)))
    return where_left


def _metric(row: Summary) -> None:
    """The score by the labels, beside the teacher's and the floor."""
    counts = theme.count_text(row.slim.correct, row.slim.count) if row.slim.count else "no result"
    teacher = theme.count_text(row.teacher.correct, row.teacher.count)
    teacher = f" ({teacher})" if row.teacher.correct is not None else ""
    figure(
        row.metric,
        theme.score_text(row.slim.score),
        f"{counts} · teacher {theme.score_text(row.teacher.score)}{teacher} · "
        f"floor {theme.score_text(row.floor)}{_others(row)}{_spread(row)}",
        FLOOR_HELP,
    )


def _retention(row: Summary) -> None:
    """What is kept of the teacher's score."""
    figure(
        "Retention",
        theme.percent_text(row.retention),
        f"{theme.percent_text(row.retention_above_floor)} above floor{_interval(row)}",
        "The slim network's metric divided by the teacher's. Above floor: what both reach beyond the floor. "
        "Points: slim minus teacher, with the 95% interval of a paired bootstrap.",
    )


def _agreement(row: Summary) -> None:
    """How closely the slim network's answers follow the teacher's, in a study without labels."""
    counts = theme.count_text(row.slim.correct, row.slim.count) if row.slim.count else "no result"
    texts = "" if row.is_regression or not row.slim.count else " texts"
    same = "" if row.is_regression else f" · one same answer to all: {theme.percent_text(row.floor)}"
    figure(
        row.metric,
        agreement_text(row, row.slim.score),
        f"{counts}{texts}{_agreement_span(row)}{same}{_spread(row)}",
        AGREEMENT_HELP,
    )


def agreement_text(row: Summary, value: float | None) -> str:
    """The main metric of a study without labels, as printed: a percentage of texts, or a correlation."""
    return theme.score_text(value) if row.is_regression else theme.percent_text(value)


def _agreement_span(row: Summary) -> str:
    """Its 95% interval: that of the difference to the teacher, which agrees with itself throughout."""
    if row.interval is None or row.interval.low is None or row.interval.high is None:
        return ""
    low, high = (agreement_text(row, 1 + end) for end in (row.interval.low, row.interval.high))
    return f" · 95% interval {low} to {high}"


def _divergence(row: Summary) -> None:
    """How far the slim network's answers are from the teacher's, confidence included."""
    figure(
        "Squared difference" if row.is_regression else "KL divergence",
        theme.value_text(row.fidelity.divergence if row.fidelity else None),
        "of the scores, mean over the texts" if row.is_regression else "nats from the teacher, mean over the texts",
        "How far the slim network's answers are from the teacher's, its confidence included; 0: the very same.",
    )


def _others(row: Summary) -> str:
    """The task's further metrics, where it has any."""
    return "".join(
        f" · {title} {theme.score_text(slim)}, teacher {theme.score_text(teacher)}"
        for title, slim, teacher in row.others
    )


def _spread(row: Summary) -> str:
    """The slim network's score over the seeds that it was recovered with, where there are several."""
    return f" · {theme.spread_text(row.spread)}" if row.spread else ""


def _interval(row: Summary) -> str:
    if row.interval is None:
        return ""
    low, high = row.interval.low, row.interval.high
    span = f" ({theme.points_text(low)} to {theme.points_text(high)})" if None not in (low, high) else ""
    return f" · {theme.points_text(row.interval.difference)} points{span}"


def _size(row: Summary) -> str:
    if not theme.is_known(row.slim.size_bytes):
        return "numbers only, no weights stored"
    teacher = f", teacher {theme.bytes_text(row.teacher.size_bytes)}" if theme.is_known(row.teacher.size_bytes) else ""
    return f"{theme.bytes_text(row.slim.size_bytes)} on disk{teacher}"


def _speed(row: Summary) -> str:
    if row.conditions is None:
        return "not measured at this budget"
    return f"{theme.times_text(row.speedup_1)} at batch 1 · {row.conditions}"


def _map(study: Study, row: Summary) -> None:
    """Surviving share per layer and site."""
    from slimviz.charts.survival_map import survival_map

    if row.budget not in study.selections:
        st.caption(f"No masks at {theme.plain(theme.budget_title(row.budget))}.")
        return
    survival = survival_frame(loaders.masks(study, row.budget))
    sentence = sentences.map_sentence(survival)
    st.caption(theme.plain(sentence))
    st.altair_chart(
        survival_map(survival, current_palette()),
        width="stretch",
        alt=f"Surviving share of {row.title} by layer and site. {sentence}",
    )


def _details(study: Study, rows: Sequence[Summary]) -> None:
    """All budgets of the chosen study (a row for each), and its provenance in full."""
    if not rows:
        st.info("This study has no stored budget yet.")
        return
    first = rows[0]
    st.markdown(theme.plain(sentences.budget_sentence(rows, first.title)))
    st.table(
        [_line(row, rows) for row in rows],
        alt=f"Results of {first.title} at every stored budget",
    )
    with st.expander("Where these numbers come from"):
        provenance, backbone = study.document.provenance, study.document.backbone
        st.code(provenance.command, language="bash", wrap_lines=True)
        libraries = ", ".join(f"{name} {version}" for name, version in provenance.libraries.items())
        teacher = "Teacher" if study.document.config.has_given_teacher else "Backbone"
        st.markdown(
            f"{teacher} {theme.plain(backbone.name)} from {theme.plain(backbone.source)}, "
            f"sha256 {theme.plain(backbone.sha256[:16])}…: {shape_words(study.shape)}.  \n"
            f"Split {theme.plain(str(first.split))}; {theme.plain(libraries)}.  \n"
            f"Folder {theme.plain(str(study.folder))}"
        )


def _line(row: Summary, rows: Sequence[Summary]) -> dict[str, str]:
    """A budget's line in the table; a column that no line of the table has is left out."""
    has_seeds, has_fidelity = any(one.spread for one in rows), any(one.fidelity for one in rows)
    seeds = {"Over seeds": theme.spread_text(row.spread) if row.spread else ""} if has_seeds else {}
    counted = {"Counted": theme.count_text(row.slim.correct, row.slim.count)}
    if row.is_labelled:
        scores = {
            theme.plain(row.metric): theme.score_text(row.slim.score),
            **{theme.plain(title): theme.score_text(slim) for title, slim, _ in row.others},
            **seeds,
            **counted,
            "Before recovery": theme.score_text(row.one_shot.score),
            "Retention": theme.percent_text(row.retention),
            "Above floor": theme.percent_text(row.retention_above_floor),
            **({"Like the teacher": _fidelity(row)} if has_fidelity else {}),
        }
    else:
        scores = {
            theme.plain(row.metric): agreement_text(row, row.slim.score),
            **seeds,
            **counted,
            "Before recovery": agreement_text(row, row.one_shot.score),
            "Divergence": theme.value_text(row.fidelity.divergence if row.fidelity else None),
        }
    return {
        "Budget": theme.budget_title(row.budget),
        "Stored": "numbers and weights" if row.ships_weights else "numbers only",
        **scores,
        "Total density": theme.percent_text(row.total_density, 2),
        "Encoder density": theme.percent_text(row.encoder_density, 2),
        "FLOPs": theme.percent_text(row.flop_ratio),
    }


def _fidelity(row: Summary) -> str:
    """How often the slim network gives the teacher's answer, or how its scores correlate with the teacher's."""
    if row.fidelity is None:
        return theme.UNKNOWN
    if row.is_regression:
        return f"correlation {theme.score_text(row.fidelity.correlation)}"
    return f"{theme.percent_text(row.fidelity.agreement)} of answers"
