"""The shrunk BERT as a `transformers` architecture: encoder and classifier. Dense is a special case.

Importing this module registers "slimbert" with the Auto classes.
"""

from __future__ import annotations

import torch
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

from pruning.errors import SlimVizError
from pruning.slimbert.config import SlimBertConfig, shape_of
from pruning.slimbert.layers import Constant, Reader, SlimBlock, SlimEmbeddings


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
            head_gates: (layers, original heads), or (batch, layers, original heads) for each example's own, multiplied
                into each surviving head's context.
            return_dict: False for a plain tuple.
        """
        if input_ids is not None and inputs_embeds is None:
            inputs_embeds = self.embeddings.embed_words(input_ids)
        elif inputs_embeds is None or input_ids is not None:
            raise SlimVizError("input: expected either input_ids or inputs_embeds, not both and not none")
        if head_gates is not None:
            self._check_gates(head_gates)
        hidden = self.embeddings(inputs_embeds, token_type_ids)
        mask = additive_mask(attention_mask, hidden.dtype)
        wants_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        wants_weights = self.config.output_attentions if output_attentions is None else output_attentions
        states: list[torch.Tensor] = [hidden]
        attentions: list[torch.Tensor | None] = []
        for index, layer in enumerate(self.layers):
            gates = None if head_gates is None else head_gates[..., index, :]
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
        if tuple(head_gates.shape[-2:]) != expected or head_gates.ndim > 3:
            raise SlimVizError(f"head_gates: shape {tuple(head_gates.shape)}, expected (layers, heads) {expected}")


def additive_mask(attention_mask: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor | None:
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


AutoConfig.register(SlimBertConfig.model_type, SlimBertConfig)
AutoModel.register(SlimBertConfig, SlimBertModel)
AutoModelForSequenceClassification.register(SlimBertConfig, SlimBertForSequenceClassification)
AutoTokenizer.register(SlimBertConfig, fast_tokenizer_class=PreTrainedTokenizerFast)
