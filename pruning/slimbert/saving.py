"""Saving slim networks in half precision, and counting what is saved."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from pruning.bert.counts import ParameterCount
from pruning.errors import SlimVizError
from pruning.slimbert.network import SlimBertForSequenceClassification


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


def parameter_count(model: nn.Module, count: Callable[[torch.Tensor], int] = torch.Tensor.numel) -> ParameterCount:
    """Count tensor by tensor, index buffers left out and what layers share once; equals `counts.count_parameters`.

    Args:
        model: a slim network.
        count: what a tensor counts for: all its values, or those that are not zero.
    """
    counts: dict[str, int] = dict.fromkeys(("embeddings", "layers", "pooler", "classifier"), 0)
    for name, parameter in model.named_parameters():
        counts[name.removeprefix("slimbert.").split(".")[0]] += count(parameter.detach())
    return ParameterCount(counts["embeddings"], counts["layers"], counts["pooler"], counts["classifier"])
