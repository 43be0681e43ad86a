"""Sentences on studies without labels, whose slim networks are held against their teacher's answers (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from slimviz.frames.results import Summary
from slimviz.frames.tidy import known
from slimviz.theme import budget_title, budget_words, count_text, listing, percent_text, score_text, times_text

if TYPE_CHECKING:
    from pruning.measure.ablation import Ablation


def headline(rows: Sequence[Summary], budget: str) -> str:
    """How often the slim networks of studies without labels give their teachers' answers, and how fast."""
    of_one, of_several = budget_words(budget, "its teacher's"), budget_words(budget, "their teachers'")
    faster = known(row.speedup_32 for row in rows)
    if len(rows) == 1:
        row = rows[0]
        speed = f", and answers {times_text(faster[0])} as fast at batch 32" if faster else ""
        return f"At {of_one}, the slim network for {row.title} {_words(row)}{speed}."
    speed = f", and answer {times_text(fmean(faster))} as fast at batch 32" if faster else ""
    shares, scores = (known(row.slim.score for row in rows if row.is_regression == kind) for kind in (False, True))
    said = [f"give their teachers' answers to {percent_text(fmean(shares))} of the texts on average"] if shares else []
    if scores:
        said.append(f"correlate with their teachers' scores at {score_text(fmean(scores))} on average")
    return f"At {of_several}, the {len(rows)} slim networks {listing(said)}{speed}."


def _words(row: Summary) -> str:
    """How closely a slim network follows its teacher where there are no labels, as a sentence goes on."""
    if row.is_regression:
        return f"gives scores that correlate with its teacher's at {score_text(row.slim.score)}"
    share, count = percent_text(row.slim.score), count_text(row.slim.correct, row.slim.count)
    return f"gives its teacher's answer to {share} of the texts held out ({count})"


def caution(row: Summary) -> str | None:
    """A caution where agreement says little: one same answer to all texts would agree about as often.

    Args:
        row: of a study without labels.
    """
    teacher, slim, floor = row.teacher, row.slim, row.floor
    if row.is_regression or teacher.score is None or not teacher.count:
        return None
    margin = 2 * math.sqrt(max(0.0, floor * (1 - floor)) / teacher.count)
    most = f"{round(floor * teacher.count):,} of {teacher.count:,} texts"
    if teacher.score - floor <= margin:
        return f"{row.title}'s teacher gives one and the same answer to {most}: agreement with it says little."
    if slim.score is not None and slim.score - floor <= margin:
        return (
            f"{row.title}'s slim network agrees with its teacher hardly more often than one same answer to all texts "
            f"would ({most})."
        )
    return None


def at_budgets(rows: Sequence[Summary]) -> str:
    """How agreement falls with the budget, as a sentence goes on behind a study's name (a row for each)."""
    is_regression = rows[0].is_regression
    how = "scores correlate with its teacher's at" if is_regression else "slim networks give its teacher's answer to"
    text = score_text if is_regression else percent_text
    return f"{how} {listing([f'{text(row.slim.score)} at {budget_title(row.budget)}' for row in rows])}"


def truth_sentence(ablation: Ablation, kept: float, chance: Sequence[float]) -> str:
    """Whether a map is true: how far the teacher's answers stay what they are without the heads called least important.

    Args:
        ablation: measured against the teacher's own answers.
        kept: what is left above the floor without half of the heads, as a share.
        chance: the same of random orders.
    """
    at_half, *random = (ablation.floor + share * (ablation.whole - ablation.floor) for share in (kept, *chance))
    where = f"{ablation.rows:,} {ablation.split.replace('_', ' ')} texts"
    without = "Is it true? Without the half of the heads that come last here, the teacher"
    if ablation.metric == "correlation":
        beside = f"; in random orders {score_text(min(random))} to {score_text(max(random))}" if random else ""
        return f"{without}'s scores of {where} correlate with those of all heads at {score_text(at_half)}{beside}."
    beside = f"; in random orders {percent_text(min(random), 0)} to {percent_text(max(random), 0)}" if random else ""
    return f"{without} gives the same answer as with all to {percent_text(at_half, 0)} of {where}{beside}."
