"""Budget: a share of the teacher's floating-point operations; the word table stays whole, for it costs none."""

from __future__ import annotations

from pruning.bert.counts import FLOP_LENGTH, count_flops, count_parameters, table_parameters
from pruning.bert.shapes import BertShape, NetworkShape
from pruning.selection.budgets.kind import Allowances, BudgetKind
from pruning.selection.settings import SelectionSettings


def cost(shape: NetworkShape) -> float:
    """Operations of a text of `FLOP_LENGTH` tokens."""
    return count_flops(shape, FLOP_LENGTH)


def allowances(shape: BertShape, value: float, settings: SelectionSettings) -> Allowances:
    """The whole table, and the budget's share of the pooler."""
    table = table_parameters(shape.vocabulary, shape.hidden, None)
    return Allowances(float(table), value * count_parameters(shape.network()).pooler)


KIND = BudgetKind("flop_ratio", "flops", "floating-point operations", lambda table: cost, allowances)
