"""The shrunk BERT as a `transformers` architecture: configuration, model, classifier, saving. Dense is a special case.

Importing this module registers "slimbert" with the Auto classes, so that a stored slim folder loads by

    import pruning.slimbert
    from transformers import pipeline
    classify = pipeline("text-classification", "assets/studies/sst2/slim-10")
"""

from __future__ import annotations

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    initialization,
)
from transformers.activations import ACT2FN
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from pruning.errors import SlimVizError
from pruning.model import bert_shape, read_weights
from pruning.sites import BertShape, LayerShape, NetworkShape, ParameterCount
from pruning.weights import AttentionWeights, BertWeights, Linear


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
        """(batch, tokens, hidden), mask (batch, 1, 1, tokens) to add, gates (original heads,) -> same, attention."""
        if not self.heads:
            return self.norm(hidden + self.output.bias), None
        batch, tokens, _ = hidden.shape
        width = self.heads * self.head_size
        projected = self.projection(self.read(hidden))
        query, key, value = projected.split((width, width, self.heads * self.value_width), dim=-1)
        query = query.view(batch, tokens, self.heads, self.head_size).transpose(1, 2)
        key = key.view(batch, tokens, self.heads, self.head_size).transpose(1, 2)
        value = value.view(batch, tokens, self.heads, self.value_width).transpose(1, 2)
        weights = None
        if wants_weights or self.value_width != self.head_size:  # fused attention needs equal widths
            scores = torch.matmul(query * self.scale, key.transpose(-1, -2))
            weights = (scores if mask is None else scores + mask).softmax(-1)
            context = torch.matmul(weights, value)
        else:
            context = functional.scaled_dot_product_attention(query, key, value, mask, scale=self.scale)
        if gates is not None:
            context = context * gates[self.kept_heads].view(1, -1, 1, 1)
        context = context.transpose(1, 2).reshape(batch, tokens, self.heads * self.value_width)
        return self.norm(hidden + self.output(context)), weights


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
        return self.norm(hidden + self.outer(self.activation(self.inner(self.read(hidden)))))


class SlimLayerBlock(nn.Module):
    """One transformer layer."""

    def __init__(self, config: SlimBertConfig, layer: LayerShape, kept_heads: list[int]) -> None:
        super().__init__()
        self.attention = SlimAttention(config, layer, kept_heads)
        self.ffn = SlimFfn(config, layer)


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


class SlimBertPreTrainedModel(PreTrainedModel):
    """Loading, saving and initial weights."""

    config_class = SlimBertConfig
    base_model_prefix = "slimbert"
    _supports_sdpa = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, Constant):
            initialization.zeros_(module.bias)
        if isinstance(module, Reader) and module.reads is not None:
            initialization.copy_(module.reads, torch.arange(len(module.reads), dtype=torch.int32))


class SlimBertModel(SlimBertPreTrainedModel):
    """Embeddings, layers and pooler."""

    def __init__(self, config: SlimBertConfig) -> None:
        super().__init__(config)
        self.embeddings = SlimEmbeddings(config)
        layers = zip(shape_of(config).layers, config.kept_heads or [], strict=True)
        self.layers = nn.ModuleList(SlimLayerBlock(config, layer, kept) for layer, kept in layers)
        self.pooler = nn.Linear(config.hidden_size, config.pooler_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """The word table (rows are `rank` wide where it is factored)."""
        return self.embeddings.words

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word table."""
        self.embeddings.words = value

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        head_gates: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple:
        """Run the encoder.

        Args:
            input_ids: (batch, tokens)
            attention_mask: (batch, tokens), 1 for real tokens; None: all are.
            token_type_ids: (batch, tokens); None: all 0.
            inputs_embeds: (batch, tokens, hidden), word embeddings before positions are added, instead of `input_ids`.
            output_hidden_states: also return the embeddings' and each layer's output.
            output_attentions: also return each layer's (batch, surviving heads, tokens, tokens), or None for a layer
                without attention.
            head_gates: (layers, original heads), multiplied into each surviving head's context.
            return_dict: False for a plain tuple.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise SlimVizError("input: expected either input_ids or inputs_embeds, not both and not none")
        words = self.embeddings.embed_words(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = self.embeddings(words, token_type_ids)
        mask = _additive_mask(attention_mask, hidden.dtype)
        wants_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        wants_weights = self.config.output_attentions if output_attentions is None else output_attentions
        states: list[torch.Tensor] = [hidden]
        attentions: list[torch.Tensor | None] = []
        for index, layer in enumerate(self.layers):
            gates = None if head_gates is None else head_gates[index]
            hidden, weights = layer.attention(hidden, mask, gates, bool(wants_weights))
            hidden = layer.ffn(hidden)
            states.append(hidden)
            attentions.append(weights)
        result = BaseModelOutputWithPooling(
            last_hidden_state=hidden,
            pooler_output=torch.tanh(self.pooler(hidden[:, 0])),
            hidden_states=tuple(states) if wants_states else None,
            attentions=tuple(attentions) if wants_weights else None,
        )
        return result.to_tuple() if return_dict is False else result


def _additive_mask(attention_mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    """(batch, tokens) of ones and zeros -> (batch, 1, 1, tokens) to add to scores; None where it would change nothing."""
    if attention_mask is None:
        return None
    # On an accelerator the test would wait for the device; under export it would depend on the data.
    if attention_mask.device.type == "cpu" and not torch.compiler.is_compiling() and bool(attention_mask.all()):
        return None
    return (attention_mask[:, None, None, :] == 0).to(dtype) * torch.finfo(dtype).min


class SlimBertForSequenceClassification(SlimBertPreTrainedModel):
    """A slim encoder with its task's classifier."""

    def __init__(self, config: SlimBertConfig) -> None:
        super().__init__(config)
        self.slimbert = SlimBertModel(config)
        self.classifier = nn.Linear(config.pooler_size, config.num_labels or 0)
        self.post_init()

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        head_gates: torch.Tensor | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple:
        """Run the encoder and the classifier; see `SlimBertModel.forward`.

        With `labels` (batch,) the loss is cross entropy, or mean squared error where the task is a regression.
        """
        outputs = self.slimbert(
            input_ids,
            attention_mask,
            token_type_ids,
            inputs_embeds,
            output_hidden_states,
            output_attentions,
            head_gates,
        )
        logits = self.classifier(outputs.pooler_output)
        loss = None
        if labels is not None and self.config.problem_type == "regression":
            loss = functional.mse_loss(logits.squeeze(-1), labels.to(logits.dtype).view(-1))
        elif labels is not None:
            loss = functional.cross_entropy(logits, labels.view(-1))
        result = SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=outputs.hidden_states, attentions=outputs.attentions
        )
        return result.to_tuple() if return_dict is False else result


def _padded_attention(attention: AttentionWeights, value_width: int) -> tuple[Linear, torch.Tensor]:
    """The fused projection and the output matrix, each head's context padded with zeros to the layer's widest."""
    heads = len(attention.heads)
    rows, bias = attention.value
    value = rows.new_zeros(heads * value_width, rows.shape[1])
    value_bias = bias.new_zeros(heads * value_width)
    output = attention.output[0].new_zeros(attention.output[0].shape[0], heads * value_width)
    start = 0
    for head, units in enumerate(attention.context):
        source, target = slice(start, start + units), slice(head * value_width, head * value_width + units)
        value[target], value_bias[target] = rows[source], bias[source]
        output[:, target] = attention.output[0][:, source]
        start += units
    weight = torch.cat([attention.query[0], attention.key[0], value])
    return (weight, torch.cat([attention.query[1], attention.key[1], value_bias])), output


def from_weights(
    weights: BertWeights, *, id2label: dict[int, str], problem_type: str, original: BertShape
) -> SlimBertForSequenceClassification:
    """Build the network that runs from plain tensors, in eval mode.

    Args:
        weights: dense or cut; empty sub-layers as `shrink.drop_empty` leaves them.
        id2label: label words.
        problem_type: "single_label_classification" or "regression".
        original: the dense network's widths.
    """
    hidden = weights.positions.shape[1]
    state: dict[str, torch.Tensor] = {}

    def put(name: str, linear: Linear) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = linear

    layers = []
    for index, (attention, ffn) in enumerate(weights.layers):
        prefix = f"slimbert.layers.{index}"
        heads, units = len(attention.heads), ffn.inner[0].shape[0]
        layer = LayerShape(
            heads=heads,
            value_width=max(attention.context, default=0),
            attention_reads=attention.query[0].shape[1] if heads else 0,
            ffn=units,
            ffn_reads=ffn.inner[0].shape[1] if units else 0,
        )
        layers.append(asdict(layer))
        state[f"{prefix}.attention.output.bias"] = attention.output[1]
        state[f"{prefix}.ffn.outer.bias"] = ffn.outer[1]
        put(f"{prefix}.attention.norm", attention.norm)
        put(f"{prefix}.ffn.norm", ffn.norm)
        if heads:
            projection, state[f"{prefix}.attention.output.weight"] = _padded_attention(attention, layer.value_width)
            put(f"{prefix}.attention.projection", projection)
            if attention.reads is not None:
                state[f"{prefix}.attention.reads"] = attention.reads.to(torch.int32)
        if units:
            put(f"{prefix}.ffn.inner", ffn.inner)
            state[f"{prefix}.ffn.outer.weight"] = ffn.outer[0]
            if ffn.reads is not None:
                state[f"{prefix}.ffn.reads"] = ffn.reads.to(torch.int32)
    state["slimbert.embeddings.words.weight"] = weights.words
    state["slimbert.embeddings.positions.weight"] = weights.positions
    state["slimbert.embeddings.token_types.weight"] = weights.token_types
    if weights.words_projection is not None:
        state["slimbert.embeddings.projection.weight"] = weights.words_projection
    put("slimbert.embeddings.norm", weights.norm)
    put("slimbert.pooler", weights.pooler)
    put("classifier", weights.classifier)
    config = SlimBertConfig(
        vocab_size=weights.words.shape[0],
        rank=None if weights.words_projection is None else weights.words.shape[1],
        max_position_embeddings=weights.positions.shape[0],
        type_vocab_size=weights.token_types.shape[0],
        hidden_size=hidden,
        head_size=weights.head_size,
        layers=layers,
        kept_heads=[list(attention.heads) for attention, _ in weights.layers],
        pooler_size=weights.pooler[0].shape[0],
        hidden_act=weights.hidden_act,
        layer_norm_eps=weights.layer_norm_eps,
        original=asdict(original),
        id2label=dict(id2label),
        label2id={label: number for number, label in id2label.items()},
        problem_type=problem_type,
    )
    model = SlimBertForSequenceClassification(config)
    model.load_state_dict(state)
    return model.eval()


def dense_from_bert(model: Any) -> SlimBertForSequenceClassification:
    """A `BertForSequenceClassification` as a slim network in which nothing is cut."""
    config = model.config
    problem = config.problem_type or ("regression" if config.num_labels == 1 else "single_label_classification")
    return from_weights(read_weights(model), id2label=config.id2label, problem_type=problem, original=bert_shape(model))


@torch.no_grad()
def round_to_half(model: nn.Module) -> nn.Module:
    """Round all weights through half precision in place: what they are after saving and loading. Still float32."""
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())
    return model


def save_slim(model: SlimBertForSequenceClassification, folder: Path | str, *, half: bool = True) -> None:
    """Save config.json and model.safetensors, weights in half precision.

    `from_pretrained` goes by the configuration's ``dtype: float32``, not by what is stored, so it gives a float32
    network whose logits are those of `model` after `round_to_half`.

    Raises:
        SlimVizError: if a weight is too large for half precision.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise SlimVizError(f"saving {broken[0]}: found infinite or undefined values, expected at most 65504 in size")
    config = copy.deepcopy(model.config)
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(folder)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def parameter_count(model: nn.Module) -> ParameterCount:
    """Count what is saved, tensor by tensor (index buffers left out); equals `sites.count_parameters`."""
    counts = dict.fromkeys(("embeddings", "layers", "pooler", "classifier"), 0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            counts[name.removeprefix("slimbert.").split(".")[0]] += tensor.numel()
    return ParameterCount(counts["embeddings"], counts["layers"], counts["pooler"], counts["classifier"])


AutoConfig.register(SlimBertConfig.model_type, SlimBertConfig)
AutoModel.register(SlimBertConfig, SlimBertModel)
AutoModelForSequenceClassification.register(SlimBertConfig, SlimBertForSequenceClassification)
AutoTokenizer.register(SlimBertConfig, fast_tokenizer_class=PreTrainedTokenizerFast)
