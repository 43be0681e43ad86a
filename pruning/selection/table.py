"""What a network keeps besides units: residual width, vocabulary, rank of the word table, pooler.

Vocabulary and rank compete for the word table's share of the budget: the pair that keeps most of the text mass times
most of the table's spectral energy wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from pruning.bert.counts import table_parameters
from pruning.bert.shapes import LAYER_SITES, BertShape, Masks, NetworkShape, Site, network_shape
from pruning.errors import SelectionError
from pruning.importance.factors import ImportanceFactors, TablePieces, piece_mass
from pruning.selection.budgets.kind import Allowances
from pruning.selection.settings import SelectionSettings
from pruning.selection.units import largest

RANK_STEP = 8
NARROWER = (0.75, 0.5, 0.25, 0.125)  # shares of the residual width to fall back to where a budget is too small


@dataclass(frozen=True)
class Plan:
    """Everything but the units.

    Attributes:
        hidden: residual width.
        pieces: sorted vocabulary ids that stay, int64.
        rank: width of the factored word table; None where it is not factored.
        pooler: (pooler,) bool, pooler units kept.
        positions: position embeddings kept.
    """

    hidden: int
    pieces: np.ndarray
    rank: int | None
    pooler: np.ndarray
    positions: int

    def shape(self, teacher: BertShape, masks: Masks, layers: int | None = None) -> NetworkShape:
        """Widths of the network that is left with these units, and with the first layers only where some are named."""
        whole = network_shape(
            teacher,
            masks,
            vocabulary=len(self.pieces),
            rank=self.rank,
            positions=self.positions,
            pooler=int(self.pooler.sum()),
        )
        return replace(whole, layers=whole.layers[:layers])


def plans(factors: ImportanceFactors, settings: SelectionSettings, allowances: Allowances) -> Iterator[Plan]:
    """Plans to try in turn, best first; the last costs as little as can be.

    Raises:
        SelectionError: if no piece of the vocabulary is of any use.
    """
    for hidden in _widths(factors.shape, settings):
        plan = _plan(factors, settings, hidden, allowances)
        if plan is not None:
            yield plan
    yield smallest_plan(factors, settings)


def smallest_plan(factors: ImportanceFactors, settings: SelectionSettings) -> Plan:
    """The narrowest residual width, protected pieces only, in the cheapest table, and one pooler unit."""
    hidden = min(settings.minimum_hidden, factors.shape.hidden)
    ranked, _ = piece_order(factors.pieces, settings.general_share)
    pieces = np.sort(ranked[: max(1, int(factors.pieces.protected.sum()))]).astype(np.int64)
    if not len(pieces):
        raise SelectionError("vocabulary: no text produces any of its pieces, expected at least one")
    ranks: list[int | None] = [None, *range(RANK_STEP, hidden, RANK_STEP)][:2]
    rank = min(ranks, key=lambda rank: table_parameters(len(pieces), hidden, rank))
    return Plan(hidden, pieces, rank, largest(factors.pooler, 1), _positions(factors.shape, settings))


def smallest_network(factors: ImportanceFactors, settings: SelectionSettings) -> NetworkShape:
    """Widths of the smallest network: see `smallest_plan`, and no units where `sites` lets them be cut."""
    plan, shape = smallest_plan(factors, settings), factors.shape
    masks = Masks.full(shape).with_site(Site.HIDDEN, np.arange(shape.hidden) < plan.hidden)
    for site in set(settings.sites) & set(LAYER_SITES):
        masks = masks.with_site(site, np.zeros(shape.units(site), dtype=bool))
    return plan.shape(shape, masks)


def piece_order(pieces: TablePieces, general_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Vocabulary ids from most to least worth keeping, and their share of text mass (see `piece_mass`).

    Protected pieces come first; pieces that no text produces are left out.
    """
    mass = piece_mass(pieces.counts, pieces.protected, general_share)
    usable = (pieces.counts >= 0) | pieces.protected
    ranked = np.lexsort((np.arange(len(mass)), -mass, ~pieces.protected))
    ranked = ranked[usable[ranked]]
    return ranked, mass[ranked]


def _widths(shape: BertShape, settings: SelectionSettings) -> list[int]:
    """Residual widths to try, widest first: the one asked for, then narrower ones where the budget is too small."""
    smallest = min(settings.minimum_hidden, shape.hidden)
    widest = max(smallest, round(settings.hidden_keep * shape.hidden))
    narrower = [width for share in NARROWER if smallest < (width := int(share * shape.hidden)) < widest]
    return [widest, *narrower, smallest] if widest > smallest else [widest]


def _positions(shape: BertShape, settings: SelectionSettings) -> int:
    return min(settings.positions, shape.positions)


def _plan(factors: ImportanceFactors, settings: SelectionSettings, hidden: int, allowances: Allowances) -> Plan | None:
    """The best pieces, rank and pooler within their allowances; None where not even the protected pieces fit."""
    ranked, mass = piece_order(factors.pieces, settings.general_share)
    fewest = int(factors.pieces.protected.sum())
    covered = np.cumsum(mass)
    energy = np.cumsum(np.square(factors.pieces.spectrum, dtype=np.float64))
    energy /= max(energy[-1], 1e-12)
    best: tuple[float, int, int | None] | None = None
    ranks: list[int | None] = [*range(min(RANK_STEP, hidden), hidden, RANK_STEP), None]
    for rank in ranks:
        per_piece = hidden if rank is None else rank
        fits = int((allowances.table - (0 if rank is None else rank * hidden)) // per_piece)
        count = min(fits, len(ranked))
        if count < max(fewest, 1):
            continue
        kept_energy = 1.0 if rank is None else energy[min(rank, len(energy)) - 1]
        score = settings.coverage_weight * np.log(max(covered[count - 1], 1e-12)) + np.log(max(kept_energy, 1e-12))
        if best is None or score > best[0]:
            best = (float(score), count, rank)
    if best is None:
        return None
    _, count, rank = best
    width = min(len(factors.pooler), max(1, int(allowances.pooler // (hidden + 1))))
    if RANK_STEP <= width < len(factors.pooler):
        width -= width % RANK_STEP
    pieces = np.sort(ranked[:count]).astype(np.int64)
    return Plan(hidden, pieces, rank, largest(factors.pooler, width), _positions(factors.shape, settings))
