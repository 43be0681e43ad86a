"""Budget: a share of the parameters of the teacher's layers; word table and pooler are cut in proportion."""

from __future__ import annotations

from pruning.bert.counts import count_parameters, table_parameters
from pruning.bert.shapes import BertShape, NetworkShape
from pruning.selection.budgets.kind import Allowances, BudgetKind
from pruning.selection.settings import SelectionSettings


def cost(shape: NetworkShape) -> float:
    """The layers' parameters."""
    return count_parameters(shape).encoder


def allowances(shape: BertShape, value: float, settings: SelectionSettings) -> Allowances:
    """The same share of table and pooler as of the layers."""
    table = table_parameters(shape.vocabulary, shape.hidden, None)
    return Allowances(value * table, value * count_parameters(shape.network()).pooler)


KIND = BudgetKind("encoder_density", "encoder", "the layers' parameters", lambda table: cost, allowances)
