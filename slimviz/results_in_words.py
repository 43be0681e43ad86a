"""Sentences on what slim networks lost and won against their teachers (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pruning.study import Study
from pruning.study.notes import notes
from slimviz import without_labels
from slimviz.frames.results import Scored, Summary, is_near_floor
from slimviz.frames.tidy import known
from slimviz.frames.verdicts import Verdict, interval_points, verdict
from slimviz.theme import (
    budget_title,
    budget_words,
    count_text,
    listing,
    margin_text,
    points_text,
    score_text,
    span_text,
    times_text,
)

MOST_NAMES = 3  # of tasks in a part of the headline


def overview_headline(rows: Sequence[Summary], budget: str, margin: float) -> str:
    """Which slim networks of one budget lost no more than is fine, what the others may have lost, how fast they are.

    Studies whose teacher is not clearly above its floor are left out, and named: what is kept of next to nothing is
    neither won nor lost. So are those without labels, where agreement is another measure, and rivals' beside SlimViz's
    own; alone, they have a headline of their own.

    Args:
        rows: one per study.
        budget: theirs.
        margin: the loss that would still be fine, in points.
    """
    measured = [row for row in rows if row.slim.score is not None]
    own = [row for row in measured if not row.is_rival]
    has_rivals, measured = 0 < len(own) < len(measured), own or measured
    unlabelled = [row for row in measured if not row.is_labelled]
    if unlabelled and len(unlabelled) == len(measured):
        return without_labels.headline(unlabelled, budget)
    weak = [row.title for row in measured if row.has_weak_teacher]
    judged = [row for row in measured if row.is_labelled and not row.has_weak_teacher]
    of_one, of_several = budget_words(budget, "its teacher's"), budget_words(budget, "their teachers'")
    if not measured:
        return f"No study has results at {of_one} yet."
    if not judged:
        return f"At {of_several} nothing can be said of {listing(weak)}: a teacher is not clearly above its floor."
    without = f" Left out: {listing(weak)} (teacher not clearly above its floor)." if weak else ""
    if unlabelled:
        has = "has no labels and is" if len(unlabelled) == 1 else "have no labels and are"
        without += f" {listing([row.title for row in unlabelled])} {has} left out."
    without += " Not counted: what rival methods made." if has_rivals else ""
    faster = known(row.speedup_32 for row in judged)
    if len(judged) == 1:
        speed = f", and answers {times_text(faster[0])} as fast at batch 32" if faster else ""
        return f"At {of_one}, the slim network for {judged[0].title} {_fate(judged[0], margin)}{speed}.{without}"
    speed = f" {times_text(fmean(faster))} as fast at batch 32 on average." if faster else ""
    said = {kind: [row.title for row in judged if verdict(row, margin) is kind] for kind in Verdict}
    fine = f"{len(said[Verdict.FINE]) or 'none'} of {len(judged)} tasks"
    parts = [f"{fine} {'show' if len(said[Verdict.FINE]) != 1 else 'shows'} no loss beyond {margin_text(margin)}"]
    parts += [f"lost: {_some(said[Verdict.LOST])}"] if said[Verdict.LOST] else []
    parts += [f"can't tell: {_some(said[Verdict.UNSURE])}"] if said[Verdict.UNSURE] else []
    return f"At {of_several}, {'; '.join([*parts, *_worst(judged)])}.{speed}{without}"


def _some(titles: list[str]) -> str:
    """A few names, or how many they are."""
    return listing(titles) if len(titles) <= MOST_NAMES else f"{len(titles)} tasks"


def _fate(row: Summary, margin: float) -> str:
    """What became of one slim network, as a sentence goes on."""
    ends = interval_points(row)
    if ends is None:
        return f"scores {score_text(row.slim.score)} in {row.metric}, its teacher {score_text(row.teacher.score)}"
    words = {
        Verdict.FINE: f"lost at most {margin_text(margin)}",
        Verdict.LOST: f"lost something, perhaps more than {margin_text(margin)}",
    }.get(verdict(row, margin), f"may have lost nothing, or more than {margin_text(margin)}")
    return f"{words} ({row.metric}, 95% interval {span(row)})"


def span(row: Summary) -> str:
    """The interval of the difference to the teacher, in points: "−2.4 to +1.0"; a dash where it was not measured."""
    interval = row.interval
    return span_text(interval.low, interval.high) if interval else span_text(None, None)


def _worst(rows: Sequence[Summary]) -> list[str]:
    """The largest loss that an interval leaves possible, as a part of a sentence."""
    lows = [(ends[0], row.title) for row in rows if (ends := interval_points(row)) is not None]
    if not lows or min(lows)[0] >= 0:
        return []
    low, title = min(lows)
    return [f"the worst that an interval leaves possible is {points_text(low / 100)} ({title})"]


def row_sentence(row: Summary) -> str:
    """One study at one budget: both scores with their counts, the difference, what it may be, other seeds."""
    at = f"{row.title} at {budget_title(row.budget)}"
    if row.slim.score is None:
        return f"{at}: no result is stored."
    if not row.is_labelled:
        return f"{without_labels.headline([row], row.budget)} Nobody has labelled these texts."
    slim, teacher = (
        f"{score_text(scored.score)} ({count_text(scored.correct, scored.count)})" for scored in (row.slim, row.teacher)
    )
    said = f"{at}: {row.metric} {slim}, teacher {teacher}, floor {score_text(row.floor)}."
    ends = interval_points(row)
    if ends is not None and row.interval is not None:
        said += f" {points_text(row.interval.difference)} points, with 95% confidence {span(row)} over examples."
    if row.seeds:
        seeds = listing([points_text(one) for one in row.seeds])
        said += f" Recovered with {'another seed' if len(row.seeds) == 1 else 'other seeds'}: {seeds}."
    return said


def teacher_sentence(title: str, teacher: Scored, floor: float) -> str | None:
    """A caution where the teacher's accuracy is not clearly above the floor: what is kept of it then says little.

    Args:
        title: the study's.
        teacher: its score by the main metric.
        floor: what knowing nothing scores.

    Returns:
        None where the teacher is more than two standard errors of the floor above it, or where nothing was counted.
    """
    if not is_near_floor(teacher, floor):
        return None
    return (
        f"{title}'s teacher is not clearly above the floor itself ({score_text(teacher.score)} against "
        f"{score_text(floor)} on {teacher.count:,} examples): what is kept of it, and by which heads, says little of "
        "the task."
    )


def study_sentence(title: str, study: Study) -> str | None:
    """What belongs beside a study's scores: samples of GLUE, the teacher's start, a split known for something.

    Args:
        title: the study's.
        study: the study.

    Returns:
        A sentence each; None where there is nothing to say.
    """
    return " ".join(notes(study.document, title)) or None


def budget_sentence(rows: Sequence[Summary], title: str) -> str:
    """A study's difference to its teacher at each budget, and which budgets have weights (a row for each)."""
    measured = [row for row in rows if row.slim.score is not None]
    if not measured:
        return f"{title} has no results yet."
    shipped = [budget_title(row.budget) for row in rows if row.ships_weights]
    weights = f"weights are stored at {listing(shipped)}" if shipped else "no weights are stored"
    if not measured[0].is_labelled:
        return f"{title}'s {without_labels.at_budgets(measured)}; {weights}."
    known_ones = [row for row in measured if row.interval is not None]
    if not known_ones:
        return f"{title}'s {weights}."
    kept = [
        f"{points_text(row.interval.difference)} at {budget_title(row.budget)}" for row in known_ones if row.interval
    ]
    return f"{title} against its teacher, in points of {measured[0].metric}: {listing(kept)}; {weights}."
