"""The shrunk BERT as a `transformers` architecture: configuration, model, classifier, saving. Dense is a special case.

Importing this module registers "slimbert" with the Auto classes, so that a stored slim folder loads by

    import pruning.slimbert
    from transformers import pipeline
    classify = pipeline("text-classification", "assets/studies/sst2/slim-10")
"""

from __future__ import annotations

import copy
import json
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
    PreTrainedModel,
    PreTrainedTokenizerFast,
    initialization,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, LayerShape, ParameterCount
from pruning.bert.weights import AttentionWeights, BertWeights, Linear
from pruning.errors import SlimVizError
from pruning.slimbert.layers import Constant, Reader, SlimBertConfig, SlimBlock, SlimEmbeddings, shape_of

__all__ = [
    "SlimBertConfig",
    "SlimBertForSequenceClassification",
    "SlimBertModel",
    "dense_from_bert",
    "from_weights",
    "parameter_count",
    "round_to_half",
    "save_slim",
    "shape_of",
]


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
        self.layers = nn.ModuleList(SlimBlock(config, layer, kept) for layer, kept in layers)
        self.pooler = nn.Linear(config.hidden_size, config.pooler_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """The word table (rows are `rank` wide where it is factored)."""
        return self.embeddings.words

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word table."""
        self.embeddings.words = value  # pyright: ignore[reportAttributeAccessIssue]

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
        if input_ids is not None and inputs_embeds is None:
            inputs_embeds = self.embeddings.embed_words(input_ids)
        elif inputs_embeds is None or input_ids is not None:
            raise SlimVizError("input: expected either input_ids or inputs_embeds, not both and not none")
        if head_gates is not None:
            self._check_gates(head_gates)
        hidden = self.embeddings(inputs_embeds, token_type_ids)
        mask = _additive_mask(attention_mask, hidden.dtype)
        wants_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        wants_weights = self.config.output_attentions if output_attentions is None else output_attentions
        states: list[torch.Tensor] = [hidden]
        attentions: list[torch.Tensor | None] = []
        for index, layer in enumerate(self.layers):
            gates = None if head_gates is None else head_gates[index]
            hidden, weights = layer(hidden, mask, gates, bool(wants_weights))
            states.append(hidden)
            attentions.append(weights)
        result = BaseModelOutputWithPooling(
            last_hidden_state=hidden,
            pooler_output=torch.tanh(self.pooler(hidden[:, 0])),
            hidden_states=tuple(states) if wants_states else None,
            attentions=tuple(attentions) if wants_weights else None,  # pyright: ignore[reportArgumentType]
        )
        return result.to_tuple() if return_dict is False else result

    def _check_gates(self, head_gates: torch.Tensor) -> None:
        heads = (self.config.original or {}).get("heads", head_gates.shape[-1])
        expected = (len(self.layers), heads)
        if tuple(head_gates.shape) != expected:
            raise SlimVizError(f"head_gates: shape {tuple(head_gates.shape)}, expected (layers, heads) {expected}")


def _additive_mask(attention_mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
    """(batch, tokens) of ones and zeros -> (batch, 1, 1, tokens) to add to scores; None where it changes nothing."""
    if attention_mask is None:
        return None
    # On an accelerator the test would wait for the device; a traced or exported graph must not depend on the data.
    is_traced = torch.compiler.is_compiling() or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    if attention_mask.device.type == "cpu" and not is_traced and bool(attention_mask.all()):
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
        problem_type=problem_type,  # pyright: ignore[reportArgumentType]
    )
    with torch.device("meta"):  # no initial weights that would only be overwritten
        model = SlimBertForSequenceClassification(config)
    model.load_state_dict({name: tensor.detach().clone() for name, tensor in state.items()}, assign=True)
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
    # transformers leaves a dtype out where it takes it for the default; without it, half precision would be loaded.
    values = json.loads(config.to_json_string()) | {"dtype": "float32"}
    values.pop("use_cache", None)  # the Trainer sets it on whatever it trains; an encoder has no cache
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def parameter_count(model: nn.Module) -> ParameterCount:
    """Count what is saved, tensor by tensor (index buffers left out); equals `sites.count_parameters`."""
    counts: dict[str, int] = dict.fromkeys(("embeddings", "layers", "pooler", "classifier"), 0)
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            counts[name.removeprefix("slimbert.").split(".")[0]] += tensor.numel()
    return ParameterCount(counts["embeddings"], counts["layers"], counts["pooler"], counts["classifier"])


AutoConfig.register(SlimBertConfig.model_type, SlimBertConfig)
AutoModel.register(SlimBertConfig, SlimBertModel)
AutoModelForSequenceClassification.register(SlimBertConfig, SlimBertForSequenceClassification)
AutoTokenizer.register(SlimBertConfig, fast_tokenizer_class=PreTrainedTokenizerFast)
