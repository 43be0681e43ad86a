"""Stored teacher weights put into a backbone: a low-rank adapter merged, or a full state.

peft trains the adapter. Reading it needs two matrices and a factor, and peft's way of reading would import modules
and fetch files that the adapter's configuration names; a study's files may do neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pruning.errors import BackboneError

ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FULL_WEIGHTS = "model.safetensors"
PREFIX = "base_model.model."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
HEAD = ("classifier.weight", "classifier.bias")


class AdapterSettings(msgspec.Struct, frozen=True):
    """What of ``adapter_config.json`` decides how the adapter is merged; the rest is not looked at.

    Attributes:
        peft_type: only plain low-rank adapters are read.
        r: their rank.
        lora_alpha: B A is multiplied by lora_alpha / r.
        use_dora: and the other variants of the method must be off.
        use_rslora: see `use_dora`.
        fan_in_fan_out: see `use_dora`.
        rank_pattern: see `use_dora`.
        alpha_pattern: see `use_dora`.
    """

    peft_type: Literal["LORA"]
    r: Annotated[int, Meta(ge=1)]
    lora_alpha: Annotated[float, Meta(ge=0, le=1e6)]
    use_dora: bool = False
    use_rslora: bool = False
    fan_in_fan_out: bool = False
    rank_pattern: dict[str, int] = {}
    alpha_pattern: dict[str, float] = {}

    def __post_init__(self) -> None:
        for name in ("use_dora", "use_rslora", "fan_in_fan_out", "rank_pattern", "alpha_pattern"):
            if getattr(self, name):
                raise ValueError(f"{name} is set, expected a plain adapter")


def load_trained(model: Any, folder: Path) -> Any:
    """Put stored teacher weights into a freshly loaded backbone: a merged adapter, or a full state.

    Raises:
        BackboneError: if the folder holds neither, or weights of another network.
    """
    from safetensors import SafetensorError

    where = f"teacher in {folder.parent.name}/{folder.name}"
    try:
        if (folder / ADAPTER_WEIGHTS).is_file():
            return _merged(model, folder)
        if (folder / FULL_WEIGHTS).is_file():
            model.load_state_dict(_tensors(folder / FULL_WEIGHTS))
            return model.float().eval()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        text = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise BackboneError(f"{where}: weights cannot be loaded ({text[:160] or type(error).__name__})") from None
    raise BackboneError(f"{where}: no weights, expected an adapter or {FULL_WEIGHTS}")


def _tensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(path).items()}


def _merged(model: Any, folder: Path) -> Any:
    """W + lora_alpha / r * B A for every pair of matrices; head and pooler replaced by what is stored."""
    settings = msgspec.json.decode((folder / ADAPTER_CONFIG).read_bytes(), type=AdapterSettings)
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in _tensors(folder / ADAPTER_WEIGHTS).items()}
    state = model.state_dict()
    changed: dict[str, Any] = {}
    for name, tensor in tensors.items():
        if name.endswith(DOWN):
            stem = name.removesuffix(DOWN)
            weight, up = state[f"{stem}.weight"], tensors[stem + UP]
            if tensor.shape != (settings.r, weight.shape[-1]) or up.shape != (weight.shape[0], settings.r):
                shapes = f"{tuple(up.shape)} and {tuple(tensor.shape)}"
                raise ValueError(f"{stem}: matrices {shapes} of rank {settings.r} for a weight {tuple(weight.shape)}")
            changed[f"{stem}.weight"] = weight + (up @ tensor) * (settings.lora_alpha / settings.r)
        elif name.endswith(UP):
            _ = tensors[name.removesuffix(UP) + DOWN]  # one without the other is damage
        else:
            changed[name] = tensor
    for name in HEAD:
        _ = changed[name]  # without it the classifier would be a random one
    unknown = sorted(changed.keys() - state.keys())
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known, expected an adapter of this network")
    model.load_state_dict(changed, strict=False)
    return model.float().eval()
