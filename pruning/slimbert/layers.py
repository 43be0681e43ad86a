"""The layers of a slim network, built from its widths."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from transformers.activations import ACT2FN

from pruning.bert.shapes import LayerShape
from pruning.errors import SlimVizError
from pruning.slimbert.config import SlimBertConfig


class Constant(nn.Module):
    """What an empty sub-layer leaves: a bias, ``(hidden,)``."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(hidden))


class Reader(nn.Module):
    """A sub-layer's view of the residual stream: all of it, or the units numbered in the buffer `reads`."""

    reads: torch.Tensor | None

    def __init__(self, hidden: int, reads: int) -> None:
        super().__init__()
        numbers = torch.arange(reads, dtype=torch.int32) if 0 < reads < hidden else None
        self.register_buffer("reads", numbers)

    def read(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, hidden) -> (batch, tokens, reads)."""
        return hidden if self.reads is None else hidden.index_select(-1, self.reads)


class SlimAttention(Reader):
    """Self-attention of the surviving heads, output projection, residual addition and LayerNorm."""

    def __init__(self, config: SlimBertConfig, layer: LayerShape, kept_heads: list[int]) -> None:
        super().__init__(config.hidden_size, layer.attention_reads)
        self.heads, self.head_size, self.value_width = layer.heads, config.head_size, layer.value_width
        self.kept_heads = kept_heads
        self.scale = config.head_size**-0.5
        if self.heads:
            # Queries of all heads, then keys, then values.
            width = layer.heads * (2 * config.head_size + layer.value_width)
            self.projection = nn.Linear(layer.attention_reads, width)
            self.output = nn.Linear(layer.heads * layer.value_width, config.hidden_size)
        else:
            self.output = Constant(config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, gates: torch.Tensor | None, wants_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """(batch, tokens, hidden), mask (batch, 1, 1, tokens) to add, gates (original heads,) -> same, attention.

        Gates may also be (batch, original heads).
        """
        if not self.heads:
            return self.norm(hidden + self.output.bias), None
        context, weights = self.context(hidden, mask, gates, wants_weights)
        return self.norm(self.output(context).add_(hidden)), weights

    def context(
        self,
        hidden: torch.Tensor,
        mask: torch.Tensor | None,
        gates: torch.Tensor | None = None,
        wants_weights: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """What the output matrix reads, (batch, tokens, heads * value width), and the attention where it is wanted."""
        batch, tokens, _ = hidden.shape
        width = self.heads * self.head_size
        projected = self.projection(self.read(hidden))
        query, key, value = projected.split((width, width, self.heads * self.value_width), dim=-1)
        query = query.view(batch, tokens, self.heads, self.head_size).transpose(1, 2)
        key = key.view(batch, tokens, self.heads, self.head_size).transpose(1, 2)
        value = value.view(batch, tokens, self.heads, self.value_width).transpose(1, 2)
        weights = None
        if wants_weights or self.value_width != self.head_size or _learns_slowly(query):
            weights = self.attend(query, key, mask)
            context = torch.matmul(weights, value)
        else:  # the fused kernel needs equal widths and gives no maps
            context = functional.scaled_dot_product_attention(query, key, value, mask, scale=self.scale)
        if gates is not None:
            context = context * gates[..., self.kept_heads].view(-1, self.heads, 1, 1)
        return context.transpose(1, 2).reshape(batch, tokens, self.heads * self.value_width), weights

    def attend(self, query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Queries and keys (batch, heads, tokens, head size) -> attention (batch, heads, tokens, tokens)."""
        batch, heads, tokens, size = query.shape
        query, key = query.reshape(-1, tokens, size), key.reshape(-1, tokens, size).transpose(1, 2)
        if mask is None:
            scores = torch.bmm(query * self.scale, key)
        else:
            mask = mask.expand(batch, heads, 1, tokens).reshape(-1, 1, tokens)
            scores = torch.baddbmm(mask, query, key, alpha=self.scale)  # scales and masks on the way
        return scores.softmax(-1).view(batch, heads, tokens, tokens)


def _learns_slowly(query: torch.Tensor) -> bool:
    """Whether the fused kernel's backward pass takes five times that of separate products: bfloat16 on the CPU."""
    return query.requires_grad and query.dtype == torch.bfloat16 and query.device.type == "cpu"


class SlimFfn(Reader):
    """Feed-forward sub-layer of the surviving units, residual addition and LayerNorm."""

    def __init__(self, config: SlimBertConfig, layer: LayerShape) -> None:
        super().__init__(config.hidden_size, layer.ffn_reads)
        self.is_empty = layer.ffn == 0
        if self.is_empty:
            self.outer = Constant(config.hidden_size)
        else:
            self.inner = nn.Linear(layer.ffn_reads, layer.ffn)
            self.activation = ACT2FN[config.hidden_act]
            self.outer = nn.Linear(layer.ffn, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(batch, tokens, hidden) -> same."""
        if self.is_empty:
            return self.norm(hidden + self.outer.bias)
        return self.norm(self.outer(self.inside(hidden)).add_(hidden))

    def inside(self, hidden: torch.Tensor) -> torch.Tensor:
        """What the outer matrix reads, (batch, tokens, units)."""
        return self.activation(self.inner(self.read(hidden)))


class SlimBlock(nn.Module):
    """One transformer layer."""

    def __init__(self, config: SlimBertConfig, layer: LayerShape, kept_heads: list[int]) -> None:
        super().__init__()
        self.attention = SlimAttention(config, layer, kept_heads)
        self.ffn = SlimFfn(config, layer)

    def forward(
        self, hidden: torch.Tensor, mask: torch.Tensor | None, gates: torch.Tensor | None, wants_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """See `SlimAttention.forward`."""
        hidden, weights = self.attention(hidden, mask, gates, wants_weights)
        return self.ffn(hidden), weights


class SlimEmbeddings(nn.Module):
    """Word table (factored or not), positions, token types, LayerNorm."""

    def __init__(self, config: SlimBertConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.words = nn.Embedding(config.vocab_size, hidden if config.rank is None else config.rank)
        self.projection = None if config.rank is None else nn.Linear(config.rank, hidden, bias=False)
        self.positions = nn.Embedding(config.max_position_embeddings, hidden)
        self.token_types = nn.Embedding(config.type_vocab_size, hidden)
        self.norm = nn.LayerNorm(hidden, eps=config.layer_norm_eps)

    def embed_words(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Word embeddings in the residual width: what `inputs_embeds` replaces."""
        words = self.words(input_ids)
        return words if self.projection is None else self.projection(words)

    def forward(self, words: torch.Tensor, token_type_ids: torch.Tensor | None) -> torch.Tensor:
        """Add positions from 0 on and token types (0 where none are given)."""
        tokens, longest = words.shape[1], self.positions.num_embeddings
        if tokens > longest:
            raise SlimVizError(f"input: {tokens} tokens, expected at most {longest}, this network's position table")
        positions = self.positions.weight[:tokens]
        if token_type_ids is None:
            return self.norm(words + (positions + self.token_types.weight[0]))
        return self.norm(words + positions + self.token_types(token_type_ids))
