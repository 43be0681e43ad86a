"""Physically removing what is masked: one function per cut, each from weights to smaller weights.

Law: the shrunk network's logits equal the masked network's (`gates.masked_copy`), for any masks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch

from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.weights import AttentionWeights, BertWeights, FfnWeights, Linear, Norm
from pruning.compress.low_rank import factor_table
from pruning.errors import SelectionError


def shrink(
    weights: BertWeights,
    shape: BertShape,
    masks: Masks,
    *,
    factors: Mapping[Site, torch.Tensor] | None = None,
    pieces: np.ndarray | None = None,
    rank: int | None = None,
    frequencies: np.ndarray | None = None,
    positions: int | None = None,
    pooler: np.ndarray | None = None,
) -> BertWeights:
    """Fold the factors and make every cut.

    Args:
        weights: of the dense network.
        shape: its widths.
        masks: which units survive.
        factors: signed importance factors per site; sites left out count as 1.
        pieces: sorted vocabulary ids to keep; None keeps all.
        rank: width of the factored word table; None leaves it unfactored.
        frequencies: (vocabulary,) how often each piece of the *full* vocabulary occurs; None weighs all alike.
        positions: how many positions to keep; None keeps all.
        pooler: (pooler,) bool, which pooler units survive; None keeps all.

    Raises:
        SelectionError: if an argument does not fit the network.
    """
    masks.check(shape)
    if factors:
        weights = fold_factors(weights, factors)
    weights = cut_context(weights, masks.attention_context)
    weights = cut_ffn(weights, masks.ffn_hidden)
    weights = cut_reads(weights, masks.attention_input, masks.ffn_input)
    weights = drop_empty(cut_hidden(weights, masks.hidden))
    if frequencies is not None and np.shape(frequencies) != (shape.vocabulary,):
        raise SelectionError(f"piece frequencies: shape {np.shape(frequencies)}, expected ({shape.vocabulary},)")
    if pieces is not None:
        weights = cut_vocabulary(weights, pieces)
        frequencies = None if frequencies is None else np.asarray(frequencies)[np.asarray(pieces)]
    if rank is not None:
        weights = factor_table(weights, rank, frequencies)
    if positions is not None:
        weights = cut_positions(weights, positions)
    return weights if pooler is None else cut_pooler(weights, pooler)


def _map_layers(
    weights: BertWeights,
    cut_attention: Callable[[int, AttentionWeights], AttentionWeights],
    cut_ffn: Callable[[int, FfnWeights], FfnWeights],
) -> BertWeights:
    layers = [
        (cut_attention(index, attention), cut_ffn(index, ffn)) for index, (attention, ffn) in enumerate(weights.layers)
    ]
    return replace(weights, layers=tuple(layers))


def _rows(linear: Linear, kept: torch.Tensor) -> Linear:
    """Keep some of a matrix's output units."""
    return linear[0][kept], linear[1][kept]


def _columns(linear: Linear, kept: torch.Tensor) -> Linear:
    """Keep some of a matrix's input units."""
    return linear[0][:, kept], linear[1]


def _kept(mask: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """Numbers of the kept units, on the weights' device."""
    return torch.as_tensor(np.flatnonzero(mask), dtype=torch.long, device=like.device)


def fold_factors(weights: BertWeights, factors: Mapping[Site, torch.Tensor]) -> BertWeights:
    """Multiply importance factors into the neighbouring weights, so that slim layers can go. Uncut weights only.

    `hidden` acts right after every LayerNorm, so it goes into the norm's weight and bias; the other sites scale what
    the next matrix reads, so they go into its columns.
    """

    def factor(site: Site, layer: int, linear: Linear) -> Linear:
        if site not in factors:
            return linear
        return linear[0] * factors[site][layer].to(linear[0]), linear[1]

    def norm(value: Norm) -> Norm:
        if Site.HIDDEN not in factors:
            return value
        scale = factors[Site.HIDDEN].to(value[0])
        return value[0] * scale, value[1] * scale

    def attention(index: int, old: AttentionWeights) -> AttentionWeights:
        return replace(
            old,
            query=factor(Site.ATTENTION_INPUT, index, old.query),
            key=factor(Site.ATTENTION_INPUT, index, old.key),
            value=factor(Site.ATTENTION_INPUT, index, old.value),
            output=factor(Site.ATTENTION_CONTEXT, index, old.output),
            norm=norm(old.norm),
        )

    def ffn(index: int, old: FfnWeights) -> FfnWeights:
        return replace(
            old,
            inner=factor(Site.FFN_INPUT, index, old.inner),
            outer=factor(Site.FFN_HIDDEN, index, old.outer),
            norm=norm(old.norm),
        )

    return replace(_map_layers(weights, attention, ffn), norm=norm(weights.norm))


def cut_context(weights: BertWeights, mask: np.ndarray) -> BertWeights:
    """Remove context units; a head that loses its last one goes with its query and key.

    Args:
        weights: uncut at this site.
        mask: (layers, heads * head_size) bool.
    """

    def attention(index: int, old: AttentionWeights) -> AttentionWeights:
        per_head = mask[index].reshape(len(old.heads), weights.head_size).sum(-1)
        units = _kept(mask[index], old.value[0])
        alive = _kept(np.repeat(per_head > 0, weights.head_size), old.query[0])
        return replace(
            old,
            query=_rows(old.query, alive),
            key=_rows(old.key, alive),
            value=_rows(old.value, units),
            output=_columns(old.output, units),
            heads=tuple(head for head, kept in zip(old.heads, per_head, strict=True) if kept),
            context=tuple(int(kept) for kept in per_head if kept),
        )

    return _map_layers(weights, attention, lambda _, ffn: ffn)


def cut_ffn(weights: BertWeights, mask: np.ndarray) -> BertWeights:
    """Remove FFN units; `mask` is (layers, ffn) bool."""

    def ffn(index: int, old: FfnWeights) -> FfnWeights:
        units = _kept(mask[index], old.inner[0])
        return replace(old, inner=_rows(old.inner, units), outer=_columns(old.outer, units))

    return _map_layers(weights, lambda _, attention: attention, ffn)


def cut_reads(weights: BertWeights, attention_mask: np.ndarray, ffn_mask: np.ndarray) -> BertWeights:
    """Let sub-layers read only part of the residual stream; both masks are (layers, hidden) bool."""

    def attention(index: int, old: AttentionWeights) -> AttentionWeights:
        if attention_mask[index].all():
            return old
        reads = _kept(attention_mask[index], old.query[0])
        return _read_columns(old, reads, reads)

    def ffn(index: int, old: FfnWeights) -> FfnWeights:
        if ffn_mask[index].all():
            return old
        reads = _kept(ffn_mask[index], old.inner[0])
        return replace(old, inner=_columns(old.inner, reads), reads=reads)

    return _map_layers(weights, attention, ffn)


def _read_columns(old: AttentionWeights, columns: torch.Tensor, reads: torch.Tensor | None) -> AttentionWeights:
    return replace(
        old,
        query=_columns(old.query, columns),
        key=_columns(old.key, columns),
        value=_columns(old.value, columns),
        reads=reads,
    )


def cut_hidden(weights: BertWeights, mask: np.ndarray) -> BertWeights:
    """Narrow the residual stream everywhere at once; `mask` is (hidden,) bool.

    Every LayerNorm then runs over the survivors. With none, one unit stays, silenced by all-zero norms, because a
    LayerNorm needs a width; nothing reads it.
    """
    if mask.all():
        return weights
    is_silent = not mask.any()
    kept = _kept(mask, weights.positions)
    stream = kept.new_zeros(1) if is_silent else kept  # the residual units that stay
    place = kept.new_full(mask.shape, -1)  # old number -> new number, -1 for units that are gone
    place[kept] = torch.arange(len(kept), device=kept.device)

    def norm(value: Norm) -> Norm:
        weight, bias = value[0][stream], value[1][stream]
        return (torch.zeros_like(weight), torch.zeros_like(bias)) if is_silent else (weight, bias)

    def reads_of(old: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Columns of the reading matrix that stay, and the new reads."""
        places = place if old is None else place[old]
        columns = (places >= 0).nonzero().flatten()
        reads = places[columns]
        return columns, None if len(reads) == len(stream) else reads

    def attention(_: int, old: AttentionWeights) -> AttentionWeights:
        cut = _read_columns(old, *reads_of(old.reads))
        return replace(cut, output=_rows(old.output, stream), norm=norm(old.norm))

    def ffn(_: int, old: FfnWeights) -> FfnWeights:
        columns, reads = reads_of(old.reads)
        inner, outer = _columns(old.inner, columns), _rows(old.outer, stream)
        return replace(old, inner=inner, outer=outer, norm=norm(old.norm), reads=reads)

    projection = weights.words_projection
    return replace(
        _map_layers(weights, attention, ffn),
        words=weights.words[:, stream] if projection is None else weights.words,
        words_projection=None if projection is None else projection[stream],
        positions=weights.positions[:, stream],
        token_types=weights.token_types[:, stream],
        norm=norm(weights.norm),
        pooler=_columns(weights.pooler, stream),
    )


def drop_empty(weights: BertWeights) -> BertWeights:
    """Empty the sub-layers that have no units or read nothing; what they always put out stays as the output's bias.

    A head that reads nothing has its value bias at every token, and attention weights sum to 1, so its context is that
    bias; an FFN unit that reads nothing puts out the activation of its bias.
    """
    from transformers.activations import ACT2FN

    activation = ACT2FN[weights.hidden_act]

    def constant(outer: Linear, inside: torch.Tensor) -> Linear:
        return outer[0][:, :0], outer[1] + outer[0] @ inside

    def nothing(linear: Linear) -> Linear:
        return linear[0][:0, :0], linear[1][:0]

    def attention(_: int, old: AttentionWeights) -> AttentionWeights:
        if old.heads and old.value[0].shape[1]:
            return old
        return AttentionWeights(
            query=nothing(old.query),
            key=nothing(old.key),
            value=nothing(old.value),
            output=constant(old.output, old.value[1]),
            norm=old.norm,
            heads=(),
            context=(),
        )

    def ffn(_: int, old: FfnWeights) -> FfnWeights:
        if all(old.inner[0].shape):
            return old
        return FfnWeights(nothing(old.inner), constant(old.outer, activation(old.inner[1])), old.norm)

    return _map_layers(weights, attention, ffn)


def cut_vocabulary(weights: BertWeights, pieces: np.ndarray) -> BertWeights:
    """Keep the rows of the word table numbered in `pieces`, in that order (sorted, as the cut tokenizer numbers them).

    Raises:
        SelectionError: if they are not sorted, distinct numbers of the table's rows.
    """
    pieces = np.asarray(pieces)
    rows = weights.words.shape[0]
    if pieces.ndim != 1 or not len(pieces) or pieces[0] < 0 or pieces[-1] >= rows or (np.diff(pieces) <= 0).any():
        raise SelectionError(f"vocabulary pieces: expected sorted, distinct numbers from 0 to {rows - 1}")
    index = torch.as_tensor(pieces, dtype=torch.long, device=weights.words.device)
    return replace(weights, words=weights.words[index])


def cut_positions(weights: BertWeights, positions: int) -> BertWeights:
    """Keep the first `positions` rows of the position table."""
    if not 1 <= positions <= len(weights.positions):
        raise SelectionError(f"positions {positions}: expected 1 to {len(weights.positions)}")
    return replace(weights, positions=weights.positions[:positions])


def cut_pooler(weights: BertWeights, mask: np.ndarray) -> BertWeights:
    """Remove pooler units; `mask` is (pooler,) bool and keeps at least one, for the classifier to read."""
    width = weights.pooler[0].shape[0]
    if mask.dtype != bool or mask.shape != (width,) or not mask.any():
        found = f"{mask.dtype} {mask.shape} with {np.count_nonzero(mask)} units kept"
        raise SelectionError(f"mask for the pooler: found {found}, expected bool ({width},) with at least 1")
    units = _kept(mask, weights.pooler[0])
    return replace(weights, pooler=_rows(weights.pooler, units), classifier=_columns(weights.classifier, units))
