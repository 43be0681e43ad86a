"""One study in numbers: a card of one budget, all budgets as a table, and where the numbers come from."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pruning.study import Study
from slimviz import results_in_words, theme
from slimviz.frames.budgets import askable_budget
from slimviz.frames.provenance import description_text, provenance_text
from slimviz.frames.results import Summary
from slimviz.widgets.frame import figure, warn_of_teacher
from slimviz.widgets.navigation import link

AGREEMENT_HELP = (
    "Nobody has labelled these texts, so nobody counts what is right: the slim network's answers are held against its "
    "teacher's, on texts that were held out. One same answer to all: how often always giving the teacher's most "
    "frequent answer would agree."
)


def show_card(study: Study, row: Summary) -> None:
    """The open study at one budget: cells that each lead to the page that explains them."""
    at = theme.budget_title(row.budget)
    st.subheader(theme.plain(f"{row.title} at {at}, in numbers"), anchor=False)
    st.markdown(theme.plain(description_text(study)))
    where = {"study": row.key, "budget": row.budget}
    with st.container(key=f"cells-of-{row.key}"):
        metric, beside, density, speed = st.columns(4)
    with metric:
        _metric(row) if row.is_labelled else _agreement(row)
    with beside:
        _kept(row) if row.is_labelled else _divergence(row)
    with density:
        figure(
            "Total density",
            theme.percent_text(row.total_density),
            f"encoder {theme.percent_text(row.encoder_density)} · {_bytes(row)}",
            "Stored parameters divided by the teacher's, embeddings, pooler and classifier included.",
        )
    with speed:
        figure(
            "Speed-up, batch 32",
            theme.times_text(row.speedup_32),
            _speed(row),
            "Teacher's median latency divided by the slim network's, interleaved in one run.",
        )
    with st.container(horizontal=True):
        link("survivors", "See survivors", **where, density=row.budget)
        link("heads", "See heads", **where, studies=row.key)
        _ask(study, row)
    warn_of_teacher(row)
    if said := results_in_words.study_sentence(row.title, study):
        st.markdown(f":material/info: {theme.plain(said)}")


def _ask(study: Study, row: Summary) -> None:
    """Links to where networks answer: those of this budget, or of the closest that has weights."""
    budget = askable_budget(study, row.budget)
    if budget is None:
        st.caption("No slim network's weights are stored, so none can be asked or measured here.")
        return
    which = "it" if budget == row.budget else f"the network at {theme.budget_title(budget)}"
    link("playground", f"Ask {which} something", study=row.key, budget=budget)
    link("live", f"Measure {which} here", study=row.key, budget=budget)
    if budget != row.budget:
        st.caption(f"At {theme.plain(theme.budget_title(row.budget))} numbers are stored, no weights.")


def _metric(row: Summary) -> None:
    """The score by the labels, beside the teacher's and the floor."""
    counts = theme.count_text(row.slim.correct, row.slim.count) if row.slim.count else "no result"
    teacher = f" ({row.teacher.correct:,})" if row.teacher.correct is not None else ""
    figure(
        row.metric,
        theme.score_text(row.slim.score),
        f"{counts} · teacher {theme.score_text(row.teacher.score)}{teacher} · "
        f"floor {theme.score_text(row.floor)}{_others(row)}{_spread(row)}",
        _floor_help(row),
    )


def _floor_help(row: Summary) -> str:
    """What the floor is for this metric, and what is meant by a spread where there is one."""
    floor = "the score of always answering the most frequent class" if row.floor else "what answers by chance score"
    seeds = " Over seeds: mean and standard deviation of networks cut alike and recovered with another seed each."
    return f"Floor: {floor}.{seeds if row.spread else ''}"


def _kept(row: Summary) -> None:
    """What may have been lost, and what is kept of the teacher's score."""
    above = "" if row.has_weak_teacher else f" · {theme.kept_text(row.retention_above_floor)} above the floor"
    figure(
        "Slim minus teacher",
        results_in_words.span(row),
        f"points, 95% interval; {theme.points_text(row.interval.difference if row.interval else None)} as counted · "
        f"keeps {theme.kept_text(row.retention)}{above}",
        "Paired bootstrap over the examples. Keeps: the slim network's metric divided by the teacher's; above the "
        "floor: what both reach beyond it.",
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
        f"{f', floor {theme.score_text(floor)}' if floor else ''}"
        for title, slim, teacher, floor in row.others
    )


def _spread(row: Summary) -> str:
    """The slim network's score over the seeds that it was recovered with, where there are several."""
    return f" · {theme.spread_text(row.spread)}" if row.spread else ""


def _bytes(row: Summary) -> str:
    if not theme.is_known(row.slim.size_bytes):
        return "numbers only, no weights stored"
    teacher = f", teacher {theme.bytes_text(row.teacher.size_bytes)}" if theme.is_known(row.teacher.size_bytes) else ""
    return f"{theme.bytes_text(row.slim.size_bytes)} on disk{teacher}"


def _speed(row: Summary) -> str:
    if row.conditions is None:
        return "not measured at this budget"
    return f"{theme.times_text(row.speedup_1)} at batch 1 · {row.conditions}"


def show_budgets(study: Study, rows: Sequence[Summary]) -> None:
    """All budgets of the chosen study (a row for each), and where its numbers come from."""
    if not rows:
        st.info("This study has no stored budget yet.")
        return
    first = rows[0]
    st.markdown(theme.plain(results_in_words.budget_sentence(rows, first.title)))
    st.table(
        [_line(row, rows) for row in rows],
        alt=f"Results of {first.title} at every stored budget",
    )
    st.caption(theme.plain(provenance_text(study)))
    link("study", "Where these numbers come from, and where they end", study=first.key)


def _line(row: Summary, rows: Sequence[Summary]) -> dict[str, str]:
    """A budget's line in the table; a column that no line of the table has is left out."""
    has_seeds, has_fidelity = any(one.spread for one in rows), any(one.fidelity for one in rows)
    seeds = {"Over seeds": theme.spread_text(row.spread) if row.spread else ""} if has_seeds else {}
    counted = {"Counted": theme.count_text(row.slim.correct, row.slim.count)}
    if row.is_labelled:
        scores = {
            theme.plain(row.metric): theme.score_text(row.slim.score),
            **{theme.plain(title): theme.score_text(slim) for title, slim, *_ in row.others},
            **seeds,
            **counted,
            "Before recovery": theme.score_text(row.one_shot.score),
            "Slim minus teacher": _difference(row),
            "Kept": theme.kept_text(row.retention),
            "Kept above floor": theme.UNKNOWN if row.has_weak_teacher else theme.kept_text(row.retention_above_floor),
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


def _difference(row: Summary) -> str:
    """Points with their interval."""
    return (
        f"{theme.points_text(row.interval.difference)} ({results_in_words.span(row)})"
        if row.interval
        else theme.UNKNOWN
    )


def _fidelity(row: Summary) -> str:
    """How often the slim network gives the teacher's answer, or how its scores correlate with the teacher's."""
    if row.fidelity is None:
        return theme.UNKNOWN
    if row.is_regression:
        return f"correlation {theme.score_text(row.fidelity.correlation)}"
    return f"{theme.percent_text(row.fidelity.agreement)} of answers"
