"""Budgets of stored selections: in order of size, the one that a page opens with, the one closest to a density."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pruning.study import Study


def budgets(*studies: Study) -> list[str]:
    """Names of the budgets that any of these studies has a selection of, the largest total density first."""
    largest: dict[str, float] = {}
    for study in studies:
        for name, selection in study.selections.items():
            largest[name] = max(selection.total_density, largest.get(name, 0.0))
    return sorted(largest, key=lambda name: (-largest[name], name))


def default_budget(names: Iterable[str]) -> str:
    """The budget that a page opens with: 10% of the parameters, or else the last, which is the smallest."""
    names = list(names)
    return "10" if "10" in names else names[-1]


def shipped_budgets(study: Study) -> list[str]:
    """Budgets whose slim network's weights are here, the largest first."""
    return [budget for budget in budgets(study) if study.weights(study.final(budget)) is not None]


def askable_budget(study: Study, budget: str) -> str | None:
    """The budget itself where its network can be asked, else the closest that can; None where no weights are here."""
    shipped = shipped_budgets(study)
    if budget in shipped or not shipped:
        return budget if shipped else None
    stored = study.selections.get(budget)
    return closest_budget(study, stored.total_density, shipped) if stored else default_budget(shipped)


def closest_budget(study: Study, density: float, among: Iterable[str] | None = None) -> str:
    """The budget whose total density is the smallest factor away; raises ValueError where there is none.

    Args:
        study: the study.
        density: as a share.
        among: names of stored budgets; all of the study's by default.
    """
    stored = study.selections
    return min(stored if among is None else among, key=lambda name: abs(math.log(stored[name].total_density / density)))
