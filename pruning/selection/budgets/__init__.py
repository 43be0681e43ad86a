"""Kinds of budget, one module each; a new one is a file and a line here."""

from __future__ import annotations

from pruning.selection.budgets import encoder_density, flop_ratio, latency_ratio, total_density
from pruning.selection.budgets.kind import BudgetKind

BUDGET_KINDS: dict[str, BudgetKind] = {
    kind.name: kind for kind in (total_density.KIND, encoder_density.KIND, flop_ratio.KIND, latency_ratio.KIND)
}
