"""Where slim layers sit, which units they hold, and the widths of dense and slim networks (no torch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Annotated

import numpy as np
from msgspec import Meta

from pruning.errors import SelectionError

# Bounds that a shape read from disk is held to, so that arithmetic on a damaged one stays cheap.
Width = Annotated[int, Meta(ge=1, le=10_000_000)]
Kept = Annotated[int, Meta(ge=0, le=10_000_000)]
Layers = Annotated[int, Meta(ge=1, le=1000)]


class Site(StrEnum):
    """Where a slim layer multiplies its importance factors into the activations."""

    HIDDEN = "hidden"  # the residual width, shared by all layers
    ATTENTION_INPUT = "attention_input"  # what query, key and value read
    ATTENTION_CONTEXT = "attention_context"  # heads' outputs, before the output projection
    FFN_INPUT = "ffn_input"  # what the first FFN matrix reads
    FFN_HIDDEN = "ffn_hidden"  # after the activation, before the second FFN matrix


LAYER_SITES = (Site.ATTENTION_INPUT, Site.ATTENTION_CONTEXT, Site.FFN_INPUT, Site.FFN_HIDDEN)


@dataclass(frozen=True)
class BertShape:
    """Widths of a dense BERT classifier (the teacher)."""

    layers: Layers
    heads: Width
    head_size: Width
    hidden: Width
    ffn: Width
    vocabulary: Width
    positions: Width
    token_types: Width
    pooler: Width
    labels: Width

    def units(self, site: Site) -> tuple[int, ...]:
        """Shape of a site's factors: ``(units,)`` for `hidden`, ``(layers, units)`` for the others."""
        if site is Site.HIDDEN:
            return (self.hidden,)
        if site is Site.ATTENTION_CONTEXT:
            return (self.layers, self.heads * self.head_size)
        if site is Site.FFN_HIDDEN:
            return (self.layers, self.ffn)
        return (self.layers, self.hidden)

    def network(self) -> NetworkShape:
        """The dense network as a `NetworkShape`."""
        layer = LayerShape(self.heads, self.head_size, self.hidden, self.ffn, self.hidden)
        return NetworkShape(
            vocabulary=self.vocabulary,
            rank=None,
            positions=self.positions,
            token_types=self.token_types,
            hidden=self.hidden,
            head_size=self.head_size,
            layers=(layer,) * self.layers,
            pooler=self.pooler,
            labels=self.labels,
        )


@dataclass(frozen=True)
class LayerShape:
    """Widths of one slim layer.

    Attributes:
        heads: surviving attention heads; 0 leaves only the sub-layer's constant output.
        value_width: context units stored per head (all heads of a layer are padded to the widest).
        attention_reads: residual units that query, key and value read.
        ffn: surviving FFN units; 0 leaves only the sub-layer's constant output.
        ffn_reads: residual units that the first FFN matrix reads.
    """

    heads: Kept
    value_width: Kept
    attention_reads: Kept
    ffn: Kept
    ffn_reads: Kept


@dataclass(frozen=True)
class NetworkShape:
    """Widths of a slim network; the dense network is the special case where nothing is cut.

    Attributes:
        rank: width of the factored word table, or None where the table is not factored.
        head_size: query/key width of a head (never cut; the attention scale stays ``1/sqrt(head_size)``).
    """

    vocabulary: Width
    rank: Width | None
    positions: Width
    token_types: Width
    hidden: Width
    head_size: Width
    layers: tuple[LayerShape, ...]
    pooler: Width
    labels: Width


@dataclass(frozen=True)
class Masks:
    """Which units survive, one boolean array per site (True: kept).

    Attributes:
        hidden: ``(hidden,)``
        attention_input: ``(layers, hidden)``
        attention_context: ``(layers, heads * head_size)``
        ffn_input: ``(layers, hidden)``
        ffn_hidden: ``(layers, ffn)``
    """

    hidden: np.ndarray
    attention_input: np.ndarray
    attention_context: np.ndarray
    ffn_input: np.ndarray
    ffn_hidden: np.ndarray

    @classmethod
    def full(cls, shape: BertShape, value: bool = True) -> Masks:
        """Masks that keep everything (or, with `value` False, nothing)."""
        return cls(**{site.value: np.full(shape.units(site), value, dtype=bool) for site in Site})

    def __getitem__(self, site: Site) -> np.ndarray:
        return getattr(self, site.value)

    def items(self) -> Iterator[tuple[Site, np.ndarray]]:
        """Pairs of site and mask."""
        return ((site, self[site]) for site in Site)

    def with_site(self, site: Site, mask: np.ndarray) -> Masks:
        """A copy with one site's mask replaced."""
        return replace(self, **{site.value: np.asarray(mask, dtype=bool)})

    def check(self, shape: BertShape) -> Masks:
        """Return self, or raise `SelectionError` where a mask's shape or type is not what the network needs."""
        for site, mask in self.items():
            if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != shape.units(site):
                found = f"{getattr(mask, 'dtype', type(mask).__name__)} {getattr(mask, 'shape', '')}"
                raise SelectionError(f"mask for {site}: found {found}, expected bool {shape.units(site)}")
        return self

    def heads(self, shape: BertShape) -> np.ndarray:
        """Surviving context units per head, ``(layers, heads)``; 0 means that the head is gone."""
        return self.attention_context.reshape(shape.layers, shape.heads, shape.head_size).sum(-1)

    def equals(self, other: Masks) -> bool:
        """Whether both keep the same units."""
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


def network_shape(
    shape: BertShape, masks: Masks, *, vocabulary: int, rank: int | None, positions: int, pooler: int
) -> NetworkShape:
    """Widths of the network that `shrink` builds from these masks.

    A sub-layer that reads nothing has a constant output, so it is counted as empty. With no residual unit kept, one
    (all-zero) unit stays, because a LayerNorm needs a width.
    """
    hidden = max(1, int(masks.hidden.sum()))
    kept_per_head = masks.heads(shape)
    layers = []
    for index in range(shape.layers):
        attention_reads = int((masks.attention_input[index] & masks.hidden).sum())
        ffn_reads = int((masks.ffn_input[index] & masks.hidden).sum())
        alive = kept_per_head[index] > 0 if attention_reads else np.zeros(shape.heads, dtype=bool)
        heads = int(alive.sum())
        width = int(kept_per_head[index].max()) if heads else 0
        ffn = int(masks.ffn_hidden[index].sum()) if ffn_reads else 0
        layers.append(
            LayerShape(
                heads=heads,
                value_width=width,
                attention_reads=attention_reads if heads else 0,
                ffn=ffn,
                ffn_reads=ffn_reads if ffn else 0,
            )
        )
    return NetworkShape(
        vocabulary=vocabulary,
        rank=rank,
        positions=positions,
        token_types=shape.token_types,
        hidden=hidden,
        head_size=shape.head_size,
        layers=tuple(layers),
        pooler=pooler,
        labels=shape.labels,
    )
