"""Measured milliseconds of sub-layers on one device: what a latency budget is counted with."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
from msgspec import Meta

from pruning.bert.shapes import NetworkShape
from pruning.errors import ConfigError
from pruning.records import AboveZero, Count, NonNegative, Positive, Record, Text

Steps = Annotated[tuple[Count, ...], Meta(min_length=2, max_length=1000)]
Milliseconds = Annotated[tuple[NonNegative, ...], Meta(min_length=2, max_length=1000)]
TORCH, ONNX, ONNX_INT8 = "torch", "onnx", "onnx-int8"
RUNTIMES = (TORCH, ONNX, ONNX_INT8)  # that a table can be measured in


class LatencyTable(Record, frozen=True):
    """Milliseconds by width, of one layer each; made by `measure.latency_table`.

    Attributes:
        heads: increasing head counts, from 0; `attention_ms` has the milliseconds of each.
        attention_ms: see `heads`.
        ffn: increasing FFN widths, from 0; `ffn_ms` has the milliseconds of each.
        ffn_ms: see `ffn`.
        other_ms: embeddings, pooler and classifier.
        device: where it was measured, as torch names it.
        batch: texts a batch.
        length: tokens a text.
        runtime: what computes, one of `RUNTIMES`.
    """

    label: ClassVar[str] = "latency table "

    heads: Steps
    attention_ms: Milliseconds
    ffn: Steps
    ffn_ms: Milliseconds
    other_ms: AboveZero
    device: Text = "cpu"
    batch: Positive = 1
    length: Positive = 32
    runtime: Text = TORCH

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, widths, times in (("heads", self.heads, self.attention_ms), ("ffn", self.ffn, self.ffn_ms)):
            if widths[0] != 0 or len(times) != len(widths) or any(np.diff(widths) <= 0):
                raise ConfigError(f"latency table {name}: expected widths rising from 0, and a time for each")

    def milliseconds(self, shape: NetworkShape) -> float:
        """Estimated latency of a network, by linear interpolation."""
        attention = np.interp([layer.heads for layer in shape.layers], self.heads, self.attention_ms)
        ffn = np.interp([layer.ffn for layer in shape.layers], self.ffn, self.ffn_ms)
        return float(attention.sum() + ffn.sum() + self.other_ms)

    def share(self, limit: float, dense: NetworkShape) -> float:
        """A limit in milliseconds as a share of what the teacher takes, rounded down to four digits."""
        return math.floor(1e4 * limit / self.milliseconds(dense)) / 1e4
