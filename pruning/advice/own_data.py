"""One's own texts: train again or only cut, and to what size; by what the README's tables measured (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from pruning.advice.commands import own_command
from pruning.advice.limits import Limits, shortfalls
from pruning.advice.option import Option
from pruning.given import LEAST_TEXTS
from pruning.records import Positive, Record, Text
from pruning.runtimes.registry import REFERENCE

HALF = 0.5  # the smallest share for which cutting alone was found to do
SOLVED_ON = 1024  # texts that output matrices are solved on
# Figures of the README, which a test looks for there.
HALF_WITHOUT_LABELS = "cut to a half without training, SST-2 and MRPC gave 96.0% of the classifier's answers"
HALF_WITH_LABELS = "cut to a half without training, SST-2 scored 0.878 (with it 0.884, the teacher 0.885)"
TENTH_WITHOUT_LABELS = "trained again at 10%, SST-2 gave 90.0% of the classifier's answers, learned from 3,000 texts"
TENTH_WITH_LABELS = "at 10%, SST-2 scored 0.797 without training, 0.885 with it, the teacher 0.885"
FEWEST_TEXTS, FEWEST_ROWS = 3000, 2490  # without labels (SST-2, MRPC), with labels (RTE)


class Own(Record, frozen=True, kw_only=True):
    """Somebody's own data.

    Attributes:
        texts: how many there are.
        is_labelled: whether they carry labels; without, a fine-tuned classifier is needed.
    """

    texts: Positive
    is_labelled: bool


class Plan(Record, frozen=True, kw_only=True):
    """What to run on one's own data, and why.

    Attributes:
        command: as it is typed; None where it would be refused.
        reasons: sentences.
        cautions: sentences on what was not measured.
    """

    command: Text | None
    reasons: tuple[Text, ...]
    cautions: tuple[Text, ...]


def plan(own: Own, limits: Limits, options: Sequence[Option], program: str) -> Plan:
    """Cut alone (``--preset one-shot``) or a full run, and the size to cut to.

    Args:
        own: the data.
        limits: what may be spent.
        options: stored networks that say what size keeps within that.
        program: what is typed before a command.
    """
    if not own.is_labelled and own.texts < LEAST_TEXTS:
        few = f"{own.texts} texts: a classifier is pruned by {LEAST_TEXTS} texts or more; collect some first."
        return Plan(command=None, reasons=(few,), cautions=())
    budget, reasons = _size(limits, options)
    is_cut_alone = budget is not None and budget >= HALF
    if is_cut_alone:
        measured = HALF_WITH_LABELS if own.is_labelled else HALF_WITHOUT_LABELS
        reasons.append(f"Cutting alone does at that size: {measured}.")
    elif budget is not None:
        measured = TENTH_WITH_LABELS if own.is_labelled else TENTH_WITHOUT_LABELS
        reasons.append(f"Below a half it pays to train again: {measured}.")
    preset = "one-shot" if is_cut_alone else None
    return Plan(
        command=own_command(program, is_labelled=own.is_labelled, preset=preset, budget=budget),
        reasons=tuple(reasons),
        cautions=tuple(_cautions(own, limits, budget, is_cut_alone=is_cut_alone)),
    )


def _size(limits: Limits, options: Sequence[Option]) -> tuple[float | None, list[str]]:
    """The largest share of parameters within the costs in every study, in torch; None for the usual ones; and why."""
    if not limits.has_cost:
        return None, ["No cost is limited: a full run measures four sizes; ask again with its study."]
    by_budget: dict[float, list[bool]] = {}
    for option in options:
        if option.budget is not None and option.runtime == REFERENCE.name:  # which `run` makes and measures
            is_within = not any(reason.is_cost for reason in shortfalls(option, limits))
            by_budget.setdefault(option.budget, []).append(is_within)
    within = [budget for budget, fits in by_budget.items() if all(fits)]
    if within:
        budget = max(within)
        return budget, [f"{100 * budget:.3g}% of the parameters is the most that stayed within these costs in torch."]
    if by_budget:
        smallest = min(by_budget)
        return smallest, [
            f"In torch, nothing stored keeps within these costs; {100 * smallest:.3g}% of the parameters is the least."
        ]
    return None, ["Nothing stored says what size keeps within these costs: a full run measures four."]


def _cautions(own: Own, limits: Limits, budget: float | None, *, is_cut_alone: bool) -> list[str]:
    found = []
    if budget is not None:
        found.append("That size is of the stored studies' backbone; a larger classifier needs a smaller share.")
        if limits.ms is not None:
            asked = f"--budget-ms {limits.ms:g} --batch {limits.batch} --length {limits.length}"
            found.append(f"Milliseconds may be another machine's: in place of --budgets, {asked} measures yours.")
    fewest = SOLVED_ON if is_cut_alone else FEWEST_ROWS if own.is_labelled else FEWEST_TEXTS
    if own.texts < fewest:
        what = "Cutting alone uses" if is_cut_alone else "The fewest that a full run here learned anything from were"
        found.append(f"{what} {fewest:,} texts; with {own.texts:,}, nothing was measured.")
    return found
