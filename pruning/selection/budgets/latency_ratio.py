"""Budget: a share of the teacher's milliseconds on one device, estimated from a measured table."""

from __future__ import annotations

from pruning.errors import ConfigError
from pruning.selection.budgets.flop_ratio import allowances
from pruning.selection.budgets.kind import BudgetKind, Cost
from pruning.selection.latency import LatencyTable


def cost(table: LatencyTable | None) -> Cost:
    """Milliseconds by a table.

    Raises:
        ConfigError: if there is none.
    """
    if table is None:
        raise ConfigError("budget latency_ratio: needs a measured latency table for the device, none was given")
    return table.milliseconds


# As with FLOPs, the word table's size makes no difference.
KIND = BudgetKind("latency_ratio", "latency", "milliseconds on a device", cost, allowances, needs_latency=True)
