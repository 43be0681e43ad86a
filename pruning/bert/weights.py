"""A BERT classifier's weights as plain named tensors, so that cutting never touches a framework's attribute paths.

`model.read_weights` fills these from a `transformers` BERT; `shrink` maps them to smaller ones, one function per cut;
`slimbert.from_weights` builds the network that runs. Matrices are stored as ``nn.Linear`` stores them: (out, in).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Linear = tuple[torch.Tensor, torch.Tensor]  # weight (out, in) and bias (out,)
Norm = tuple[torch.Tensor, torch.Tensor]  # LayerNorm weight and bias, both (hidden,)


@dataclass(frozen=True)
class AttentionWeights:
    """One attention sub-layer.

    Attributes:
        query: (heads * head_size, reads) and (heads * head_size,)
        key: as `query`
        value: (sum of the heads' context units, reads) and its bias
        output: (hidden, context units) and (hidden,); with no context units, the bias is the constant output
        norm: the LayerNorm after the residual addition
        heads: original numbers of the heads still here, in order
        context: how many context units each of these heads still has, in order
        reads: indices into the residual stream that query, key and value read, or None for all of them
    """

    query: Linear
    key: Linear
    value: Linear
    output: Linear
    norm: Norm
    heads: tuple[int, ...]
    context: tuple[int, ...]
    reads: torch.Tensor | None = None


@dataclass(frozen=True)
class FfnWeights:
    """One feed-forward sub-layer.

    Attributes:
        inner: (ffn, reads) and (ffn,)
        outer: (hidden, ffn) and (hidden,); with no FFN units, the bias is the constant output
        norm: the LayerNorm after the residual addition
        reads: indices into the residual stream that `inner` reads, or None for all of them
    """

    inner: Linear
    outer: Linear
    norm: Norm
    reads: torch.Tensor | None = None


@dataclass(frozen=True)
class BertWeights:
    """A whole classifier.

    Attributes:
        words: (vocabulary, hidden), or (vocabulary, rank) where the table is factored
        words_projection: None, or (hidden, rank) where the table is factored
        positions: (positions, hidden)
        token_types: (token types, hidden)
        norm: the embeddings' LayerNorm
        layers: attention and FFN of each layer
        pooler: (pooler, hidden) and (pooler,)
        classifier: (labels, pooler) and (labels,)
        head_size: the original head size: query/key width, and the attention scale ``1/sqrt(head_size)``
        layer_norm_eps: epsilon of every LayerNorm
        hidden_act: name of the FFN activation
    """

    words: torch.Tensor
    words_projection: torch.Tensor | None
    positions: torch.Tensor
    token_types: torch.Tensor
    norm: Norm
    layers: tuple[tuple[AttentionWeights, FfnWeights], ...]
    pooler: Linear
    classifier: Linear
    head_size: int
    layer_norm_eps: float
    hidden_act: str
