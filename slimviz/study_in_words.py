"""Sentences on one study: what its numbers mean, how a curve of its training went, where all of it ends (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pruning.data.task import OF_ANSWERS, SHARES
from pruning.study import Study
from pruning.study.notes import notes
from slimviz.frames.provenance import is_own
from slimviz.frames.results import Summary
from slimviz.frames.tidy import records
from slimviz.results_in_words import span
from slimviz.theme import (
    budget_words,
    count_text,
    metric_text,
    percent_text,
    points_text,
    spread_text,
    times_text,
    value_text,
)

if TYPE_CHECKING:
    import pandas as pd

METRIC_MEANINGS = {
    "accuracy": "the share of examples that are answered as their labels say",
    "mcc": "Matthews' correlation of answers and labels: 1 is perfect, 0 is guessing",
    "f1": "the harmonic mean of precision and recall",
    "pearson": "the correlation of scores and labels: 1 is perfect, 0 is guessing",
    "agreement": "the share of texts that get the teacher's answer; nobody says what is right",
    "correlation": "the correlation of the scores with the teacher's; nobody says what is right",
}


def meanings(study: Study, row: Summary) -> list[tuple[str, str]]:
    """What each number of a study means, with its value at one budget: pairs of the word and a sentence."""
    name = study.task.main_metric
    said = [(row.metric, f"{METRIC_MEANINGS.get(name, 'what the task is scored by')}. {_scores(study, row)}")]
    if row.is_labelled:
        knowing_nothing = (
            "what always giving the most frequent answer scores" if row.floor else "what answers by chance score"
        )
        said.append(("Floor", f"{knowing_nothing}: {metric_text(name, row.floor)}."))
    said += _difference(row)
    if row.spread:
        said.append(
            (
                "Over seeds",
                f"{spread_text(row.spread)}: mean and standard deviation of networks that were cut alike and recovered "
                "with a seed each. Teacher and cut have one seed.",
            )
        )
    if row.total_density is not None:
        said.append(
            (
                "Total density",
                f"stored parameters divided by the teacher's, embeddings and classifier included: "
                f"{percent_text(row.total_density)}; of the layers alone {percent_text(row.encoder_density)}.",
            )
        )
    if row.speedup_32 is not None:
        said.append(
            (
                "Speed-up",
                f"the teacher's median time divided by the slim network's, timed in turns: "
                f"{times_text(row.speedup_32)} at batch 32 ({row.conditions}). It is that machine's.",
            )
        )
    return said


def _scores(study: Study, row: Summary) -> str:
    """The scores of teacher and slim network with their counts, on what."""
    name, split = study.task.main_metric, (row.split or "validation").replace("_", " ")
    at = f"the slim network at {budget_words(row.budget, 'the')}"
    scored = [] if name in OF_ANSWERS or row.teacher.score is None else [("the teacher", row.teacher)]
    scored += [] if row.slim.score is None else [(at, row.slim)]
    if not scored:
        return "No result is stored."
    parts = [
        f"{who} {metric_text(name, one.score)}"
        + (f" ({count_text(one.correct, one.count)})" if name in SHARES and one.count else "")
        for who, one in scored
    ]
    said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}, on {scored[0][1].count or 0:,} examples of the {split} split."


def _difference(row: Summary) -> list[tuple[str, str]]:
    """What the interval of the difference to the teacher means."""
    ends = row.interval
    if not row.is_labelled or ends is None or ends.low is None or ends.high is None:
        return []
    if ends.low <= 0 <= ends.high:
        told = "0 lies inside, so these examples cannot tell the two apart"
    else:
        told = f"Both ends are {'below' if ends.high < 0 else 'above'} 0, so these examples tell the two apart"
    return [
        (
            "Slim minus teacher",
            f"{points_text(ends.difference)} points, 95% interval {span(row)}, by drawing the examples again "
            f"{ends.resamples:,} times, both networks' answers together. {told}; another seed or other texts may.",
        )
    ]


def limits(study: Study, title: str) -> list[str]:
    """Where a study ends: what its numbers do not show."""
    task, data = study.task, study.document.provenance.data
    on = "the texts held out" if is_own(task) else f"GLUE's {task.validation[0].replace('_', ' ')} split"
    said = [
        *notes(study.document, title),
        f"Scores are on {on}: {data.validation.rows:,} examples like those it learned from. They say nothing of "
        "other kinds of text, of other languages, or of whom its errors strike.",
        "One seed of teacher and cut: intervals are over examples; further seeds are recovery's alone.",
        "Speed was measured on the machine named here and is that machine's; the Live page measures yours.",
        "A cut vocabulary spells rare words in more pieces: speed-ups at a set number of tokens leave that out, those "
        "on real texts include it.",
        f"Texts are read up to {study.document.config.max_length:,} tokens; what is beyond is not seen.",
    ]
    if not study.document.ablations:
        said.append("Whether its head maps tell the truth was not measured.")
    return said


def is_curve(curve: pd.DataFrame) -> bool:
    """Whether a measure has anything to draw: it was reported more than once, and changed."""
    return len(set(curve["value"].tolist())) > 1


def curve_sentence(curve: pd.DataFrame) -> str:
    """How one measure went, from the first step that was reported to the last."""
    rows = records(curve)
    first, last = rows[0], rows[-1]
    title, start = first["title"], value_words(first["measure"], first["value"])
    if len(rows) == 1:
        return f"{title}: {start}, reported once, at step {first['step']:,}."
    if not is_curve(curve):
        return f"{title}: {start} throughout."
    if last["value"] == first["value"]:
        return f"{title} ends where it began, at {start}, after {last['step']:,} steps."
    way = "falls" if last["value"] < first["value"] else "rises"
    end = value_words(last["measure"], last["value"])
    return f"{title} {way} from {start} at step {first['step']:,} to {end} at step {last['step']:,}."


def value_words(measure: str, value: float) -> str:
    """A reported value as printed."""
    if measure == "alive":
        return percent_text(value)
    if measure in METRIC_MEANINGS or measure == "spearman":
        return metric_text(measure, value)
    return value_text(value)
