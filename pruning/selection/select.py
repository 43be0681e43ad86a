"""From importance factors and a budget to masks, vocabulary and rank (NumPy only: the dashboard's slider calls this).

Within a site units are ranked by importance; between sites by importance per parameter. A head is a chain: its
query/key matrices cost as much as its context units and fall only with the last of them, so its units enter as one
block (the prefix with the best importance per parameter) followed by single units. The word table gets a share of the
budget, and vocabulary and rank compete for it: the pair that keeps most of the text mass times most of the table's
spectral energy wins. What is left buys units, best first, as many as fit, counted exactly (padding included).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pruning.bert.shapes import (
    LAYER_SITES,
    BertShape,
    Masks,
    NetworkShape,
    ParameterCount,
    Site,
    count_flops,
    count_parameters,
    network_shape,
    table_parameters,
)
from pruning.errors import ConfigError, SelectionError
from pruning.importance.factors import ImportanceFactors, TablePieces, piece_mass
from pruning.selection.budget import Budget
from pruning.selection.settings import SelectionSettings

RANK_STEP = 8
FLOP_LENGTH = 32  # tokens; the length at which a FLOP ratio is counted


@dataclass(frozen=True)
class LatencyTable:
    """Measured milliseconds of sub-layers on one device, for a latency budget; made by `latency_table.latency_table`.

    Attributes:
        heads: increasing head counts, from 0; `attention_ms` has the milliseconds of each.
        ffn: increasing FFN widths, from 0; `ffn_ms` has the milliseconds of each.
        other_ms: embeddings, pooler and classifier.
    """

    heads: tuple[int, ...]
    attention_ms: tuple[float, ...]
    ffn: tuple[int, ...]
    ffn_ms: tuple[float, ...]
    other_ms: float

    def milliseconds(self, shape: NetworkShape) -> float:
        """Estimated latency of a network, by linear interpolation."""
        attention = np.interp([layer.heads for layer in shape.layers], self.heads, self.attention_ms)
        ffn = np.interp([layer.ffn for layer in shape.layers], self.ffn, self.ffn_ms)
        return float(attention.sum() + ffn.sum() + self.other_ms)


@dataclass(frozen=True)
class Selection:
    """What survives, and what the network that is left costs.

    Attributes:
        masks: surviving units per site.
        pieces: sorted vocabulary ids that stay, int64.
        rank: width of the factored word table; None where it is not factored.
        positions: position embeddings kept.
        pooler: (pooler,) bool, pooler units kept.
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
    dense = count_parameters(factors.shape.network())
    cost, limit, table_budget, pooler_budget = _limits(factors, budget, settings, latency)
    for hidden, pieces, rank, pooler in _plans(factors, settings, table_budget, pooler_budget):
        base = Masks.full(factors.shape).with_site(Site.HIDDEN, _top(importance[Site.HIDDEN], hidden))
        blocks = _blocks(factors.shape, importance, settings, budget.value, hidden)

        def build(count: int, base: Masks = base, blocks: _Blocks = blocks) -> Masks:
            return _rounded(_take(base, blocks, count, factors.shape), importance, factors.shape, settings)

        def shape_of(masks: Masks, plan: tuple = (pieces, rank, pooler)) -> NetworkShape:
            kept, rank, pooler = plan
            positions = min(settings.positions, factors.shape.positions)
            return network_shape(
                factors.shape,
                masks,
                vocabulary=len(kept),
                rank=rank,
                positions=positions,
                pooler=int(pooler.sum()),
            )

        count = _largest(len(blocks.order), lambda n, build=build, shape_of=shape_of: cost(shape_of(build(n))) <= limit)
        if count < 0:
            continue  # not even without units: try what costs less
        masks = _filled(build(count), importance, factors.shape, settings)
        shape = shape_of(masks)
        parameters = count_parameters(shape)
        return Selection(
            masks=masks,
            pieces=pieces,
            rank=rank,
            positions=shape.positions,
            pooler=pooler,
            shape=shape,
            parameters=parameters,
            total_density=parameters.total / dense.total,
            encoder_density=parameters.encoder / dense.encoder,
            flop_ratio=count_flops(shape, FLOP_LENGTH) / count_flops(factors.shape.network(), FLOP_LENGTH),
            cutoff={site: _cutoff(importance[site], masks[site]) for site in Site},
        )
    smallest = budget.value * cost(_smallest_network(factors, settings)) / limit
    raise SelectionError(
        f"budget {budget.kind}={budget.value:g}: below what is reachable here, "
        f"expected at least {math.ceil(1e4 * smallest) / 1e4:g}"
    )


def smallest_total_density(factors: ImportanceFactors, settings: SelectionSettings | None = None) -> float:
    """The smallest total density any selection can reach; `select` reaches it."""
    smallest = _smallest_network(factors, settings or SelectionSettings())
    return count_parameters(smallest).total / count_parameters(factors.shape.network()).total


def piece_order(pieces: TablePieces, general_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Vocabulary ids from most to least worth keeping, and their share of text mass (see `piece_mass`).

    Protected pieces come first; pieces that no text produces are left out.
    """
    mass = piece_mass(pieces.counts, pieces.protected, general_share)
    usable = (pieces.counts >= 0) | pieces.protected
    ranked = np.lexsort((np.arange(len(mass)), -mass, ~pieces.protected))
    ranked = ranked[usable[ranked]]
    return ranked, mass[ranked]


@dataclass(frozen=True)
class _Blocks:
    """Units that enter together, best importance per parameter first.

    Attributes:
        order: block numbers, best first.
        rank_of: per site, each unit's place in `order` (a unit is kept when its block is among the first n).
    """

    order: np.ndarray
    rank_of: dict[Site, np.ndarray]


def _limits(
    factors: ImportanceFactors, budget: Budget, settings: SelectionSettings, latency: LatencyTable | None
) -> tuple[Callable[[NetworkShape], float], float, float, float]:
    """Cost function, its limit, and what word table and pooler may cost at most in parameters."""
    dense_shape = factors.shape.network()
    dense = count_parameters(dense_shape)
    if budget.kind == "total_density":
        limit = budget.value * dense.total
        return lambda s: count_parameters(s).total, limit, settings.table_share * limit, settings.pooler_share * limit
    table = table_parameters(factors.shape.vocabulary, factors.shape.hidden, None)
    if budget.kind == "encoder_density":
        limit = budget.value * dense.encoder
        return lambda s: count_parameters(s).encoder, limit, budget.value * table, budget.value * dense.pooler
    # FLOPs and milliseconds do not depend on the word table's size, so it stays whole.
    if budget.kind == "flop_ratio":
        limit = budget.value * count_flops(dense_shape, FLOP_LENGTH)
        return lambda s: count_flops(s, FLOP_LENGTH), limit, float(table), budget.value * dense.pooler
    if latency is None:
        raise ConfigError("budget latency_ratio: needs a measured latency table for the device, none was given")
    limit = budget.value * latency.milliseconds(dense_shape)
    return latency.milliseconds, limit, float(table), budget.value * dense.pooler


def _widths(shape: BertShape, settings: SelectionSettings) -> list[int]:
    """Residual widths to try, widest first: the one asked for, then narrower ones where the budget is too small."""
    smallest = min(settings.minimum_hidden, shape.hidden)
    widest = max(smallest, round(settings.hidden_keep * shape.hidden))
    narrower = [width for share in (0.75, 0.5, 0.25, 0.125) if smallest < (width := int(share * shape.hidden)) < widest]
    return [widest, *narrower, smallest] if widest > smallest else [widest]


def _plans(
    factors: ImportanceFactors, settings: SelectionSettings, table_budget: float, pooler_budget: float
) -> Iterator[tuple[int, np.ndarray, int | None, np.ndarray]]:
    """Residual width, pieces, rank and pooler mask to try in turn, best first; the last costs as little as can be."""
    for hidden in _widths(factors.shape, settings):
        parts = _fixed_parts(factors, settings, hidden, table_budget, pooler_budget)
        if parts is not None:
            yield hidden, *parts
    yield _smallest_plan(factors, settings)


def _smallest_plan(
    factors: ImportanceFactors, settings: SelectionSettings
) -> tuple[int, np.ndarray, int | None, np.ndarray]:
    """The narrowest residual width, protected pieces only, in the cheapest table, and one pooler unit."""
    hidden = min(settings.minimum_hidden, factors.shape.hidden)
    ranked, _ = piece_order(factors.pieces, settings.general_share)
    pieces = np.sort(ranked[: max(1, int(factors.pieces.protected.sum()))]).astype(np.int64)
    ranks: list[int | None] = [None, *range(RANK_STEP, hidden, RANK_STEP)][:2]
    rank = min(ranks, key=lambda rank: table_parameters(len(pieces), hidden, rank))
    return hidden, pieces, rank, _top(factors.pooler, 1)


def _smallest_network(factors: ImportanceFactors, settings: SelectionSettings) -> NetworkShape:
    """Widths of the smallest network: see `_smallest_plan`, and no units where `sites` lets them be cut."""
    shape = factors.shape
    hidden, pieces, rank, _ = _smallest_plan(factors, settings)
    masks = Masks.full(shape).with_site(Site.HIDDEN, np.arange(shape.hidden) < hidden)
    for site in set(settings.sites) & set(LAYER_SITES):
        masks = masks.with_site(site, np.zeros(shape.units(site), dtype=bool))
    positions = min(settings.positions, shape.positions)
    return network_shape(shape, masks, vocabulary=len(pieces), rank=rank, positions=positions, pooler=1)


def _fixed_parts(
    factors: ImportanceFactors, settings: SelectionSettings, hidden: int, table_budget: float, pooler_budget: float
) -> tuple[np.ndarray, int | None, np.ndarray] | None:
    """Pieces, rank and pooler mask that fit their shares; None where not even the protected pieces fit."""
    ranked, mass = piece_order(factors.pieces, settings.general_share)
    fewest = int(factors.pieces.protected.sum())
    covered = np.cumsum(mass)
    energy = np.cumsum(np.square(factors.pieces.spectrum, dtype=np.float64))
    energy /= max(energy[-1], 1e-12)
    best: tuple[float, int, int | None] | None = None
    ranks: list[int | None] = [*range(min(RANK_STEP, hidden), hidden, RANK_STEP), None]
    for rank in ranks:
        per_piece = hidden if rank is None else rank
        fits = int((table_budget - (0 if rank is None else rank * hidden)) // per_piece)
        count = min(fits, len(ranked))
        if count < max(fewest, 1):
            continue
        kept_energy = 1.0 if rank is None else energy[min(rank, len(energy)) - 1]
        score = settings.coverage_weight * np.log(max(covered[count - 1], 1e-12)) + np.log(max(kept_energy, 1e-12))
        if best is None or score > best[0]:
            best = (float(score), count, rank)
    if best is None:
        return None
    width = min(len(factors.pooler), max(1, int(pooler_budget // (hidden + 1))))
    if width >= RANK_STEP:
        width -= width % RANK_STEP if width < len(factors.pooler) else 0
    return np.sort(ranked[: best[1]]).astype(np.int64), best[2], _top(factors.pooler, width)


def _blocks(
    shape: BertShape, importance: dict[Site, np.ndarray], settings: SelectionSettings, ratio: float, hidden: int
) -> _Blocks:
    """Rank all units of the prunable sites by importance per parameter, heads as chains."""
    efficiency: dict[Site, np.ndarray] = {}
    if Site.ATTENTION_CONTEXT in settings.sites:
        efficiency[Site.ATTENTION_CONTEXT] = settings.attention_preference * _head_chains(shape, importance, hidden)
    if Site.FFN_HIDDEN in settings.sites:
        efficiency[Site.FFN_HIDDEN] = importance[Site.FFN_HIDDEN] / (2 * hidden + 1)
    rows = {Site.ATTENTION_INPUT: 3 * shape.heads * shape.head_size, Site.FFN_INPUT: shape.ffn}
    for site, columns in rows.items():
        if site in settings.sites:  # a read costs what is left of the matrices that read it, about the budget's share
            efficiency[site] = settings.read_preference * importance[site] / (ratio * columns)
    if not efficiency:
        return _Blocks(np.zeros(0, dtype=np.int64), {})
    values = np.concatenate([array.ravel() for array in efficiency.values()])
    order = np.argsort(-values, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    rank_of, start = {}, 0
    for site, array in efficiency.items():
        rank_of[site] = place[start : start + array.size].reshape(array.shape)
        start += array.size
    return _Blocks(order, rank_of)


def _head_chains(shape: BertShape, importance: dict[Site, np.ndarray], hidden: int) -> np.ndarray:
    """Importance per parameter of each context unit, ``(layers, heads * head_size)``.

    Along a head's units, best first, the upper concave hull of (cost, importance) starts with the prefix of the best
    ratio: its units share that ratio. Later units each cost one value row and one output column.
    """
    units = importance[Site.ATTENTION_CONTEXT].reshape(shape.layers, shape.heads, shape.head_size).astype(np.float64)
    order = np.argsort(-units, axis=-1, kind="stable")
    ranked = np.take_along_axis(units, order, axis=-1)
    set_up = 2 * shape.head_size * (hidden + 1)
    per_unit = 2 * hidden + 1
    ratio = ranked.cumsum(-1) / (set_up + per_unit * np.arange(1, shape.head_size + 1))
    block = ratio.argmax(-1)[..., None]
    chained = np.where(np.arange(shape.head_size) <= block, ratio.max(-1, keepdims=True), ranked / per_unit)
    result = np.empty_like(chained)
    np.put_along_axis(result, order, chained, axis=-1)
    return result.reshape(shape.layers, shape.heads * shape.head_size)


def _take(base: Masks, blocks: _Blocks, count: int, shape: BertShape) -> Masks:
    masks = base
    for site, place in blocks.rank_of.items():
        masks = masks.with_site(site, place < count)
    return masks


def _largest(total: int, fits: Callable[[int], bool]) -> int:
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


def _rounded(masks: Masks, importance: dict[Site, np.ndarray], shape: BertShape, settings: SelectionSettings) -> Masks:
    """Round FFN widths to the nearest multiple of `round_to`, adding the best units cut or dropping the worst kept.

    Heads' widths are rounded up: their queries and keys are there already.
    """
    if settings.round_to == 1:
        return masks
    masks = _filled(masks, importance, shape, settings)
    if Site.FFN_HIDDEN not in settings.sites:
        return masks
    widths = masks.ffn_hidden.sum(-1)
    rounded = np.minimum(np.round(widths / settings.round_to).astype(int) * settings.round_to, shape.ffn)
    values = importance[Site.FFN_HIDDEN]
    return masks.with_site(Site.FFN_HIDDEN, np.stack([_top(v, w) for v, w in zip(values, rounded, strict=True)]))


def _filled(masks: Masks, importance: dict[Site, np.ndarray], shape: BertShape, settings: SelectionSettings) -> Masks:
    """Fill each surviving head up to its layer's widest (rounded up): the padding would be stored anyway."""
    if Site.ATTENTION_CONTEXT not in settings.sites:
        return masks
    kept = masks.heads(shape)
    widest = -(-kept.max(-1, keepdims=True) // settings.round_to) * settings.round_to
    values = importance[Site.ATTENTION_CONTEXT].reshape(shape.layers, shape.heads, shape.head_size)
    place = np.argsort(np.argsort(-values, axis=-1, kind="stable"), axis=-1, kind="stable")
    filled = (place < widest[..., None]) & (kept > 0)[..., None]
    return masks.with_site(Site.ATTENTION_CONTEXT, filled.reshape(shape.layers, -1))


def _top(values: np.ndarray, count: int) -> np.ndarray:
    """Mask of the `count` largest values; ties go to the earlier unit."""
    mask = np.zeros(len(values), dtype=bool)
    mask[np.argsort(-values, kind="stable")[:count]] = True
    return mask


def _cutoff(values: np.ndarray, mask: np.ndarray) -> float:
    return float(values[mask].min()) if mask.any() else float("inf")
