"""What widths cost on this machine, measured on a click, and which units would fit a limit in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pruning.bert.shapes import BertShape
from pruning.errors import SelectionError
from pruning.importance.factors import ImportanceFactors
from pruning.selection.budget import Budget
from pruning.selection.latency import LatencyTable
from pruning.selection.select import Selection, select
from pruning.selection.table import smallest_network
from slimviz.live.networks import computing
from slimviz.live.others_at_work import OthersAtWork
from slimviz.live.run import conditions

if TYPE_CHECKING:
    from pruning.study.document import SelectionRecord

LENGTH = 32  # tokens a text


@dataclass(frozen=True)
class Measured:
    """A table of this machine.

    Attributes:
        table: milliseconds by width, in torch on the CPU.
        conditions: what it was measured on, and what others took of it meanwhile, see `run.conditions`.
    """

    table: LatencyTable
    conditions: dict[str, Any]


def measured_here(shape: BertShape, batch: int) -> Measured:
    """Time networks of some widths up to a teacher's, `batch` texts of `LENGTH` tokens at once; takes seconds."""
    from pruning.measure.latency_table import latency_table

    others = OthersAtWork()
    with computing():
        table = latency_table(shape, batch=batch, length=LENGTH)
    return Measured(table, conditions(others, "cpu"))


def within(factors: ImportanceFactors, record: SelectionRecord, table: LatencyTable, limit: float) -> Selection:
    """The most important units that fit.

    Args:
        factors: of the study.
        record: a stored selection, for criterion and settings.
        table: of this machine.
        limit: milliseconds.

    Raises:
        SelectionError: the teacher is within the limit as it is, or no network is.
    """
    teacher = factors.shape.network()
    dense = table.milliseconds(teacher)
    least = table.milliseconds(smallest_network(factors, record.settings))
    if limit >= dense:
        raise SelectionError(f"the teacher itself takes {dense:.3g} ms here, so nothing need be cut for {limit:g} ms")
    if limit < least:
        raise SelectionError(f"the fastest network takes {least:.3g} ms here, so none fits {limit:g} ms")
    budget = Budget("latency_ratio", table.share(limit, teacher))
    return select(factors, budget, record.settings, record.criterion, table)
