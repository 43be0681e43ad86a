"""Budget: a share of all stored parameters of the teacher."""

from __future__ import annotations

from pruning.bert.counts import count_parameters
from pruning.bert.shapes import BertShape, NetworkShape
from pruning.selection.budgets.kind import Allowances, BudgetKind
from pruning.selection.settings import SelectionSettings


def cost(shape: NetworkShape) -> float:
    """All parameters."""
    return count_parameters(shape).total


def allowances(shape: BertShape, value: float, settings: SelectionSettings) -> Allowances:
    """The settings' shares of the budget: everything competes for the same parameters."""
    limit = value * cost(shape.network())
    return Allowances(settings.table_share * limit, settings.pooler_share * limit)


KIND = BudgetKind("total_density", "", "all parameters", lambda table: cost, allowances)
