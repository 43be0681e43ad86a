"""Which units survive: all of them ranked by importance per parameter, then as many as fit.

Within a site units are ranked by importance; between sites by importance per parameter. A head is a chain: its
query/key matrices cost as much as its context units and fall only with the last of them, so its units enter as one
block (the prefix with the best importance per parameter) followed by single units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.selection.settings import SelectionSettings


@dataclass(frozen=True)
class Blocks:
    """Units that enter together, best importance per parameter first.

    Attributes:
        order: block numbers, best first.
        rank_of: per site, each unit's place in `order` (a unit is kept when its block is among the first n).
    """

    order: np.ndarray
    rank_of: dict[Site, np.ndarray]


def rank_units(
    shape: BertShape, importance: dict[Site, np.ndarray], settings: SelectionSettings, ratio: float, hidden: int
) -> Blocks:
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
        return Blocks(np.zeros(0, dtype=np.int64), {})
    values = np.concatenate([array.ravel() for array in efficiency.values()])
    order = np.argsort(-values, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    rank_of, start = {}, 0
    for site, array in efficiency.items():
        rank_of[site] = place[start : start + array.size].reshape(array.shape)
        start += array.size
    return Blocks(order, rank_of)


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


def take(base: Masks, blocks: Blocks, count: int) -> Masks:
    """The units of the first `count` blocks, and of `base` where a site is not ranked."""
    masks = base
    for site, place in blocks.rank_of.items():
        masks = masks.with_site(site, place < count)
    return masks


def rounded(masks: Masks, importance: dict[Site, np.ndarray], shape: BertShape, settings: SelectionSettings) -> Masks:
    """Round FFN widths to the nearest multiple of `round_to`, adding the best units cut or dropping the worst kept.

    Heads' widths are rounded up: their queries and keys are there already.
    """
    if settings.round_to == 1:
        return masks
    masks = filled(masks, importance, shape, settings)
    if Site.FFN_HIDDEN not in settings.sites:
        return masks
    widths = masks.ffn_hidden.sum(-1)
    nearest = np.minimum(np.round(widths / settings.round_to).astype(int) * settings.round_to, shape.ffn)
    values = importance[Site.FFN_HIDDEN]
    return masks.with_site(Site.FFN_HIDDEN, np.stack([largest(v, w) for v, w in zip(values, nearest, strict=True)]))


def filled(masks: Masks, importance: dict[Site, np.ndarray], shape: BertShape, settings: SelectionSettings) -> Masks:
    """Fill each surviving head up to its layer's widest (rounded up): the padding would be stored anyway."""
    if Site.ATTENTION_CONTEXT not in settings.sites:
        return masks
    kept = masks.heads(shape)
    widest = -(-kept.max(-1, keepdims=True) // settings.round_to) * settings.round_to
    values = importance[Site.ATTENTION_CONTEXT].reshape(shape.layers, shape.heads, shape.head_size)
    place = np.argsort(np.argsort(-values, axis=-1, kind="stable"), axis=-1, kind="stable")
    full = (place < widest[..., None]) & (kept > 0)[..., None]
    return masks.with_site(Site.ATTENTION_CONTEXT, full.reshape(shape.layers, -1))


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Mask of the `count` largest values; ties go to the earlier unit."""
    mask = np.zeros(len(values), dtype=bool)
    mask[np.argsort(-values, kind="stable")[:count]] = True
    return mask


def cutoff(values: np.ndarray, mask: np.ndarray) -> float:
    """Importance of the least important unit kept; inf where nothing is."""
    return float(values[mask].min()) if mask.any() else float("inf")
