"""From importance factors and a budget to masks, vocabulary and rank (NumPy only: the dashboard's slider calls this).

The word table and the pooler get shares of the budget (`table`); what is left buys units, best first (`units`), as many
as fit, counted exactly (padding included).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pruning.bert.counts import FLOP_LENGTH, ParameterCount, count_flops, count_parameters
from pruning.bert.shapes import Masks, NetworkShape, Site
from pruning.errors import SelectionError
from pruning.importance.factors import ImportanceFactors
from pruning.selection.budget import Budget
from pruning.selection.budgets import BUDGET_KINDS
from pruning.selection.latency import LatencyTable
from pruning.selection.settings import SelectionSettings
from pruning.selection.table import Plan, plans, smallest_network
from pruning.selection.units import cutoff, filled, largest, rank_units, rounded, take


@dataclass(frozen=True)
class Selection:
    """What survives, and what the network that is left costs.

    Attributes:
        masks: surviving units per site.
        pieces: sorted vocabulary ids that stay, int64.
        rank: width of the factored word table; None where it is not factored.
        positions: position embeddings kept.
        pooler: (pooler,) bool, pooler units kept.
        shape: widths of the network that is left.
        parameters: it stores.
        total_density: its parameters, of the teacher's.
        encoder_density: the same of the layers alone.
        flop_ratio: its floating-point operations, of the teacher's.
        cutoff: per site, the importance of the least important unit kept (inf where nothing is kept).
    """

    masks: Masks
    pieces: np.ndarray
    rank: int | None
    positions: int
    pooler: np.ndarray
    shape: NetworkShape
    parameters: ParameterCount
    total_density: float
    encoder_density: float
    flop_ratio: float
    cutoff: dict[Site, float] = field(default_factory=dict)


def select(
    factors: ImportanceFactors,
    budget: Budget,
    settings: SelectionSettings | None = None,
    criterion: str = "alpha",
    latency: LatencyTable | None = None,
) -> Selection:
    """Choose what survives under a budget. Deterministic.

    Args:
        factors: as stored with a study.
        budget: a ratio to the teacher, see `Budget`.
        settings: see `SelectionSettings`.
        criterion: whose factors rank the units.
        latency: measured table, needed for a latency budget.

    Raises:
        SelectionError: if the budget is below what is reachable, or the factors do not fit the shape.
        ConfigError: if a latency budget comes without a table.
    """
    settings = settings or SelectionSettings()
    importance = factors.of(criterion)
    kind = BUDGET_KINDS[budget.kind]
    cost, dense = kind.cost(latency), factors.shape.network()
    limit = budget.value * cost(dense)
    for plan in plans(factors, settings, kind.allowances(factors.shape, budget.value, settings)):
        masks = _most_units(factors, importance, plan, settings, budget.value, lambda shape: cost(shape) <= limit)
        if masks is not None:  # else not even without units: try what costs less
            return selection_of(factors, plan, masks, importance)
    smallest = cost(smallest_network(factors, settings)) / cost(dense)
    raise SelectionError(
        f"budget {budget.kind}={budget.value:g}: below what is reachable here, "
        f"expected at least {math.ceil(1e4 * smallest) / 1e4:g}"
    )


def smallest_total_density(factors: ImportanceFactors, settings: SelectionSettings | None = None) -> float:
    """The smallest total density any selection can reach, in (0, 1]; `select` reaches it."""
    smallest = smallest_network(factors, settings or SelectionSettings())
    return count_parameters(smallest).total / count_parameters(factors.shape.network()).total


def _most_units(
    factors: ImportanceFactors,
    importance: dict[Site, np.ndarray],
    plan: Plan,
    settings: SelectionSettings,
    ratio: float,
    fits: Callable[[NetworkShape], bool],
) -> Masks | None:
    """As many units as fit beside a plan; None where none do."""
    shape = factors.shape
    base = Masks.full(shape).with_site(Site.HIDDEN, largest(importance[Site.HIDDEN], plan.hidden))
    blocks = rank_units(shape, importance, settings, ratio, plan.hidden)

    def build(count: int) -> Masks:
        return rounded(take(base, blocks, count), importance, shape, settings)

    count = largest_count(len(blocks.order), lambda count: fits(plan.shape(shape, build(count))))
    return None if count < 0 else filled(build(count), importance, shape, settings)


def largest_count(total: int, fits: Callable[[int], bool]) -> int:
    """The largest count in 0..total for which `fits` holds (it holds up to some count, then no more); -1 if none."""
    if not fits(0):
        return -1
    low, high = 0, total
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def selection_of(
    factors: ImportanceFactors,
    plan: Plan,
    masks: Masks,
    importance: Mapping[Site, np.ndarray] | None = None,
    layers: int | None = None,
) -> Selection:
    """A selection with what its network costs.

    Args:
        factors: that the plan was made from.
        plan: what is kept besides units.
        masks: the units.
        importance: that the masks follow from; None where they follow from something else.
        layers: how many of the first layers are kept; None for all of them.
    """
    shape, teacher = plan.shape(factors.shape, masks, layers), factors.shape.network()
    parameters, dense = count_parameters(shape), count_parameters(teacher)
    return Selection(
        masks=masks,
        pieces=plan.pieces,
        rank=plan.rank,
        positions=plan.positions,
        pooler=plan.pooler,
        shape=shape,
        parameters=parameters,
        total_density=parameters.total / dense.total,
        encoder_density=parameters.encoder / dense.encoder,
        flop_ratio=count_flops(shape, FLOP_LENGTH) / count_flops(teacher, FLOP_LENGTH),
        cutoff={} if importance is None else {site: cutoff(importance[site], masks[site]) for site in Site},
    )
