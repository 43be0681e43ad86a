"""Widths of a slim network as a `transformers` configuration."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig

from pruning.bert.shapes import LayerShape, NetworkShape


class SlimBertConfig(PreTrainedConfig):
    """Widths of a slim network.

    Attributes:
        vocab_size: pieces in the word table.
        rank: width of the factored word table, or None where it is not factored.
        max_position_embeddings: longest input.
        type_vocab_size: segments.
        hidden_size: residual width.
        head_size: query/key width of every head, and the attention scale ``1/sqrt(head_size)``.
        layers: one dictionary of `LayerShape`'s fields per layer.
        kept_heads: original numbers of each layer's surviving heads.
        pooler_size: units of the pooler.
        original: `BertShape`'s fields of the dense network that this one was cut from.
    """

    model_type = "slimbert"

    vocab_size: int = 30522
    rank: int | None = None
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_size: int = 384
    head_size: int = 32
    layers: list | None = None
    kept_heads: list | None = None
    pooler_size: int = 384
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    pad_token_id: int | None = 0
    original: dict | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill in what a configuration without layers needs."""
        self.layers = self.layers or []
        self.kept_heads = self.kept_heads or [list(range(layer["heads"])) for layer in self.layers]
        super().__post_init__(**kwargs)

    @property
    def num_hidden_layers(self) -> int:
        """How many layers there are, empty ones included."""
        return len(self.layers or [])


def shape_of(config: SlimBertConfig) -> NetworkShape:
    """A slim network's widths, for counting."""
    return NetworkShape(
        vocabulary=config.vocab_size,
        rank=config.rank,
        positions=config.max_position_embeddings,
        token_types=config.type_vocab_size,
        hidden=config.hidden_size,
        head_size=config.head_size,
        layers=tuple(LayerShape(**layer) for layer in config.layers or []),
        pooler=config.pooler_size,
        labels=config.num_labels or 0,
    )
