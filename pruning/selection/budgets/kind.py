"""What a kind of budget has to say of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from pruning.bert.shapes import BertShape, NetworkShape
from pruning.selection.latency import LatencyTable
from pruning.selection.settings import SelectionSettings

Cost = Callable[[NetworkShape], float]


class Allowances(NamedTuple):
    """The most that parts with a share of their own may cost, in parameters: the word table and the pooler."""

    table: float
    pooler: float


@dataclass(frozen=True)
class BudgetKind:
    """A way to say how large a network may be.

    Attributes:
        name: as budgets and settings spell it.
        word: before the percentage in a budget's name ("flops" in "flops-25"); "" for what a plain number means.
        title: for people: what a budget of this kind is a share of.
        cost: what a network of given widths costs, from a latency table where one is needed.
        allowances: from the teacher's widths, the budget's value and the settings.
        needs_latency: whether `cost` reads the table.
    """

    name: str
    word: str
    title: str
    cost: Callable[[LatencyTable | None], Cost]
    allowances: Callable[[BertShape, float, SelectionSettings], Allowances]
    needs_latency: bool = False
