"""Which methods of a slim network do the work of which component, for timing them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from pruning.bert.counts import Component


def component_calls(model: Any) -> Iterator[tuple[Component, int, nn.Module, str]]:
    """As `pruning.bert.model.component_calls`, of a slim network."""
    slim = model.slimbert
    yield Component.WORDS, 1, slim.embeddings, "embed_words"
    yield Component.POSITIONS, 1, slim.embeddings, "forward"
    for layer in slim.layers:
        attention = layer.attention
        yield Component.ATTENTION_LINEAR, 1, attention, "forward"
        if attention.heads:
            yield Component.ATTENTION_LINEAR, -1, attention, "context"
            yield Component.ATTENTION, 1, attention, "context"
            yield Component.ATTENTION_LINEAR, 1, attention.projection, "forward"
            yield Component.ATTENTION, -1, attention.projection, "forward"
        yield Component.FFN, 1, layer.ffn, "forward"
    yield Component.POOLER, 1, slim.pooler, "forward"
    yield Component.HEAD, 1, model.classifier, "forward"
