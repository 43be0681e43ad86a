"""The sentence above each chart, computed from the frame that the chart draws (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pruning.data.task import OF_ANSWERS
from pruning.study import Study
from pruning.study.notes import notes
from slimviz import without_labels
from slimviz.frames.results import Scored, Summary
from slimviz.frames.tidy import count_of, groups, known, records
from slimviz.theme import (
    budget_title,
    budget_words,
    layer_title,
    listing,
    percent_text,
    score_text,
    times_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from pruning.measure.ablation import Ablation


def overview_headline(rows: Sequence[Summary], budget: str) -> str:
    """What the slim networks of one budget keep, on average, and how much faster they are.

    Of several studies, those whose teacher is not clearly above its floor are left out, and named: what is kept of next
    to nothing is no share to average. So are those without labels, where agreement is another measure; alone, they have
    a headline of their own.

    Args:
        rows: one per study.
        budget: theirs.
    """
    measured = [row for row in rows if row.retention is not None and row.is_labelled]
    unlabelled = [row for row in rows if row.slim.score is not None and not row.is_labelled]
    if unlabelled and not measured:
        return without_labels.headline(unlabelled, budget)
    sound = [row for row in measured if teacher_sentence(row.title, row.teacher, row.floor) is None]
    weak = [row.title for row in measured if row not in sound] if sound else []
    measured = sound or measured
    of_one, of_several = budget_words(budget, "its teacher's"), budget_words(budget, "their teachers'")
    if not measured:
        return f"No study has results at {of_one} yet."
    retention = percent_text(fmean(known(row.retention for row in measured)))
    above = known(row.retention_above_floor for row in measured)
    faster = known(row.speedup_32 for row in measured)
    floor = f" ({percent_text(fmean(above))} of what lies above the floor)" if above else ""
    without = f" Left out: {listing(weak)}, for a teacher not clearly above its floor." if weak else ""
    if unlabelled:
        has = "has no labels and is" if len(unlabelled) == 1 else "have no labels and are"
        without += f" {listing([row.title for row in unlabelled])} {has} left out."
    if len(measured) == 1:
        row = measured[0]
        speed = f", and answers {times_text(faster[0])} as fast at batch 32" if faster else ""
        return (
            f"At {of_one}, the slim network for {row.title} keeps {retention} of "
            f"the teacher's {row.metric}{floor}{speed}.{without}"
        )
    speed = f", and answer {times_text(fmean(faster))} as fast at batch 32" if faster else ""
    return (
        f"At {of_several}, the {len(measured)} slim networks keep {retention} of their "
        f"teachers' scores on average{floor}{speed}.{without}"
    )


def teacher_sentence(title: str, teacher: Scored, floor: float) -> str | None:
    """A caution where the teacher's accuracy is not clearly above the floor: what is kept of it then says little.

    Args:
        title: the study's.
        teacher: its score by the main metric.
        floor: what knowing nothing scores.

    Returns:
        None where the teacher is more than two standard errors of the floor above it, or where nothing was counted.
    """
    score, count = teacher.score, teacher.count
    if teacher.correct is None or score is None or not count:
        return None
    if score - floor > 2 * math.sqrt(max(0.0, floor * (1 - floor)) / count):
        return None
    return (
        f"{title}'s teacher is not clearly above the floor itself ({score_text(score)} against "
        f"{score_text(floor)} on {count:,} examples): what is kept of it, and by which heads, says little of the task."
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
    """How a study's retention falls with the budget, and which budgets have weights (a row for each)."""
    measured = [
        row for row in rows if row.slim.score is not None and (row.retention is not None or not row.is_labelled)
    ]
    if not measured:
        return f"{title} has no results yet."
    shipped = [budget_title(row.budget) for row in rows if row.ships_weights]
    weights = f"weights are stored at {listing(shipped)}" if shipped else "no weights are stored"
    if not measured[0].is_labelled:
        return f"{title}'s {without_labels.at_budgets(measured)}; {weights}."
    kept = listing([f"{percent_text(row.retention)} at {budget_title(row.budget)}" for row in measured])
    return f"{title} keeps {kept} of its teacher's {measured[0].metric}; {weights}."


def map_sentence(survival: pd.DataFrame) -> str:
    """Where a small map's units went."""
    parts = []
    for title, part in groups(survival, "title"):
        kept, total = count_of(part, "kept"), count_of(part, "total")
        if kept < total and all(row["layer"] is not None for row in records(part)):
            parts.append(f"{kept / total:.0%} of {_inline(title)}")
    return f"Left: {listing(parts)}." if parts else "Nothing was cut."


def layer_sentence(layers: pd.DataFrame, site_titles: Sequence[str]) -> str:
    """How many units are left, and which layers lost most and least."""
    rows = records(layers)
    kept, total = sum(row["kept"] for row in rows), sum(row["total"] for row in rows)
    if not total or not site_titles:
        return "Every unit of every layer is left: this selection may not cut any layer's units."
    sites = listing([_inline(title) for title in site_titles])
    if kept == 0:
        return f"No unit is left ({sites})."
    share = f"{percent_text(kept / total)} of the {total:,} units open to cutting ({sites}) are left"
    worst, best = min(rows, key=lambda row: row["share"]), max(rows, key=lambda row: row["share"])
    if worst["share"] == best["share"]:
        return f"{share}, as many in every layer."
    return (
        f"{share}; {layer_title(worst['layer'] - 1)} lost most ({percent_text(1 - worst['share'])}), "
        f"{layer_title(best['layer'] - 1)} least ({percent_text(1 - best['share'])})."
    )


def site_sentence(sites: pd.DataFrame) -> str:
    """Which sub-layers lost how much, and which were left whole."""
    rows = records(sites)
    cut = sorted((row for row in rows if row["removed"] > 0), key=lambda row: -row["removed"])
    whole = [_inline(row["title"]) for row in rows if row["removed"] == 0]
    if not cut:
        return "No sub-layer lost a unit."
    lost = listing([f"{_inline(row['title'])} lost {percent_text(row['removed'])}" for row in cut])
    rest = f"; {listing(whole)} {'is' if len(whole) == 1 else 'are'} whole" if whole else ""
    sentence = f"{lost} of {'its' if len(cut) == 1 else 'their'} units{rest}."
    return sentence[0].upper() + sentence[1:]


def strip_sentence(units: pd.DataFrame, layer: int) -> str:
    """What is left of one layer, and how many units the colours place on the wrong side."""
    name = layer_title(layer).capitalize()
    if units.empty:
        return f"{name}: this criterion ranks no units."
    parts = [f"{count_of(part, 'kept'):,} of {len(part):,} {_inline(title)}" for title, part in groups(units, "title")]
    against = _against(units)
    note = f" {against:,} units are coloured against their fate: heads come and go whole." if against else ""
    return f"{name} keeps {listing(parts)} units.{note}"


def heads_sentence(heads: pd.DataFrame, budget: str) -> str:
    """How many heads each task keeps, and how many they share."""
    by_study = [set(_kept_heads(part)) for _, part in groups(heads, "study")]
    total = len(heads) // len(by_study)
    if len(by_study) == 1:
        return f"At {budget_words(budget, 'the')}, {len(by_study[0])} of {total} heads survive."
    counts = sorted(map(len, by_study))
    spread = f"{counts[0]} to {counts[-1]}" if counts[0] != counts[-1] else str(counts[0])
    everywhere, somewhere = set.intersection(*by_study), set.union(*by_study)
    return (
        f"At {budget_words(budget, 'the')} each task keeps {spread} of {total} heads; "
        f"{_heads(len(everywhere))} in every task shown, {_heads(total - len(somewhere))} in none."
    )


def head_map_sentence(heads: pd.DataFrame) -> str:
    """What one map shows."""
    against = _against(heads)
    note = f", {against} coloured against their fate" if against else ""
    return f"{len(_kept_heads(heads))} of {len(heads)} kept{note}"


def truth_sentence(ablation: Ablation | None, criterion: str) -> str | None:
    """Whether a map is true: what the teacher keeps without the heads that it calls least important, beside chance."""
    if ablation is None or criterion not in ablation.curves:
        return None
    kept = ablation.kept_at_half(criterion)
    if kept is None:
        return None
    chance = [share for share in ablation.kept_at_half_at_random if share is not None]
    if ablation.metric in OF_ANSWERS:
        return without_labels.truth_sentence(ablation, kept, chance)
    kept, *chance = (
        max(0.0, share) for share in (kept, *chance)
    )  # of what lies above the floor, none can be lost twice
    beside = f"; in random orders {percent_text(min(chance), 0)} to {percent_text(max(chance), 0)}" if chance else ""
    return (
        f"Is it true? Without the half of the heads that come last here, the teacher keeps {percent_text(kept, 0)} of "
        f"what it has above its floor ({ablation.rows:,} {ablation.split} examples){beside}."
    )


def head_sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Who keeps one head, and to whom it matters most."""
    keep = [row["title"] for row in rows if row["kept"]]
    cut = [row["title"] for row in rows if not row["kept"]]
    parts = [f"Kept by {listing(keep)}"] if keep else []
    if cut:
        parts.append(f"{'cut' if keep else 'Cut'} by {listing(cut)}")
    best = min(rows, key=lambda row: row["rank"])
    most = f"; highest rank in {best['title']} ({best['rank']} of {best['heads']})" if len(rows) > 1 else ""
    return f"{', '.join(parts)}{most}."


def difference_sentence(difference: pd.DataFrame, first: str, second: str) -> str:
    """How many heads two tasks keep together and apart, and where they differ most."""
    rows = records(difference)
    both, one, other = (sum(row["mark"] == mark for row in rows) for mark in ("", "A", "B"))
    kept = f"{first} and {second} keep {both} heads in common, {first} alone {one}, {second} alone {other}"
    most = max(rows, key=lambda row: abs(row["difference"]))
    if most["difference"] == 0:
        return f"{kept}; no head matters more to one than to the other."
    towards = first if most["difference"] > 0 else second
    return f"{kept}; they differ most at layer {most['layer']}, head {most['head']}, which matters more to {towards}."


def similarity_sentence(pairs: pd.DataFrame, what: str) -> str:
    """The most and the least alike pair of one measure."""
    apart = [row for row in records(pairs) if row["order_first"] < row["order_second"]]
    if not apart:
        return "One task alone: nothing to compare."
    most, least = max(apart, key=lambda row: row["value"]), min(apart, key=lambda row: row["value"])
    if len(apart) == 1:
        return f"{most['first_title']} and {most['second_title']}: {what} {most['value']:.2f}."
    return (
        f"{most['first_title']} and {most['second_title']} are most alike in {what} ({most['value']:.2f}), "
        f"{least['first_title']} and {least['second_title']} least ({least['value']:.2f})."
    )


def _kept_heads(heads: pd.DataFrame) -> list[tuple[int, int]]:
    return [(row["layer"], row["head"]) for row in records(heads) if row["kept"]]


def _against(frame: pd.DataFrame) -> int:
    """How many are above the cut-off and cut, or below it and kept."""
    return int((frame["kept"].to_numpy() != (frame["relative"].to_numpy() >= 0)).sum())


def _heads(count: int) -> str:
    return "1 head survives" if count == 1 else f"{count or 'no'} heads survive"


def _inline(title: str) -> str:
    """A title inside a sentence: "FFN hidden" keeps its capitals, "Attention context" does not."""
    return title if title[:2].isupper() else title[0].lower() + title[1:]
