"""What a rival has to work with: the default method's word table and pooler at a budget, and room for layers beside.

Most of the field's methods leave the word table alone, which is half of a small BERT; at 10% of all parameters nothing
would be left of them. So each of them gets the vocabulary, rank and pooler units that the default method chooses at the
same budget, and differs by what it does with the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape, Masks, NetworkShape, Site
from pruning.errors import SelectionError
from pruning.importance.factors import ImportanceFactors
from pruning.methods.shared import Shared
from pruning.methods.steps import best_units
from pruning.selection.budget import Budget
from pruning.selection.budgets import BUDGET_KINDS
from pruning.selection.select import Selection, largest_count, selection_of
from pruning.selection.table import Plan

PARAMETERS = ("total_density", "encoder_density")  # budgets that count them


@dataclass(frozen=True)
class Room:
    """Room for layers under a budget.

    Attributes:
        factors: of the study.
        default: what the default method keeps.
        plan: its word table, pooler and positions.
        base: every unit of every layer, in the default's residual width.
        cost: of widths, in what the budget counts.
        limit: the most that a network may cost.
    """

    factors: ImportanceFactors
    default: Selection
    plan: Plan
    base: Masks
    cost: Callable[[NetworkShape], float]
    limit: float

    @property
    def shape(self) -> BertShape:
        """The teacher's widths."""
        return self.factors.shape

    def fits(self, masks: Masks, layers: int | None = None) -> bool:
        """Whether a network of these units is within the budget; see `selection_of`."""
        return self.cost(self.plan.shape(self.shape, masks, layers)) <= self.limit

    def selection(self, masks: Masks, layers: int | None = None) -> Selection:
        """The selection that keeps these units; see `selection_of`."""
        return selection_of(self.factors, self.plan, masks, layers=layers)

    def with_heads(self, heads: np.ndarray) -> Masks:
        """All units, of these heads only; (layers, heads) bool."""
        return self.base.with_site(Site.ATTENTION_CONTEXT, np.repeat(heads, self.shape.head_size, axis=1))

    def with_ffn(self, masks: Masks, order: np.ndarray) -> Masks | None:
        """As many FFN units as fit, in this order; None where not even none do.

        Args:
            masks: the other units.
            order: numbers of units, counted through all layers.
        """

        def build(count: int) -> Masks:
            kept = np.zeros(self.shape.layers * self.shape.ffn, dtype=bool)
            kept[order[:count]] = True
            return masks.with_site(Site.FFN_HIDDEN, kept.reshape(self.shape.layers, self.shape.ffn))

        count = largest_count(len(order), lambda count: self.fits(build(count)))
        return None if count < 0 else build(count)

    def for_layers(self, budget: Budget) -> Budget:
        """What the budget, of parameters, leaves to the layers: a share of the teacher's.

        Raises:
            SelectionError: see `only_parameters`.
        """
        only_parameters(budget)
        left = self.limit - self.cost(self.plan.shape(self.shape, self.base, layers=0))
        return Budget("encoder_density", min(1.0, left / count_parameters(self.shape.network()).encoder))

    def shortfall(self, selection: Selection, reason: str) -> str:
        """What to tell of a network that is above the budget; nothing of one that is not."""
        if self.cost(selection.shape) <= self.limit:
            return ""
        return f"does not reach its budget ({selection.total_density:.1%} of all parameters): {reason}"


def room_at(shared: Shared, budget: Budget) -> Room:
    """The room that a budget leaves."""
    default, shape = best_units(shared, budget), shared.factors.shape
    plan = Plan(int(default.masks.hidden.sum()), default.pieces, default.rank, default.pooler, default.positions)
    cost = BUDGET_KINDS[budget.kind].cost(shared.latency)
    base = Masks.full(shape).with_site(Site.HIDDEN, default.masks.hidden)
    return Room(shared.factors, default, plan, base, cost, budget.value * cost(shape.network()))


def only_parameters(budget: Budget) -> None:
    """Refuse any other budget, for methods that save parameters and nothing else.

    Raises:
        SelectionError: it is not one of parameters.
    """
    if budget.kind not in PARAMETERS:
        raise SelectionError(f"budget {budget.name}: expected {' or '.join(PARAMETERS)}, the method saves nothing else")


def ranked(values: np.ndarray) -> np.ndarray:
    """Numbers of units through all layers, most important first; ties go to the earlier one."""
    return np.argsort(-values.ravel(), kind="stable")


def first_of(order: np.ndarray, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Mask of the first units of an order."""
    kept = np.zeros(int(np.prod(shape)), dtype=bool)
    kept[order[:count]] = True
    return kept.reshape(shape)
