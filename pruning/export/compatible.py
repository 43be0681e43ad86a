"""What the network needs of transformers 5, also where only transformers 4 is installed.

SlimViz itself runs with the version of its requirements; this goes into exported modelling files (see `modelling`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
import transformers
from torch import nn

if dataclasses.is_dataclass(transformers.PretrainedConfig):
    PreTrainedConfig = transformers.PretrainedConfig  # pyright: ignore[reportAssignmentType]
else:  # before its configurations were dataclasses

    class PreTrainedConfig(transformers.PretrainedConfig):  # pyright: ignore[reportGeneralTypeIssues]
        """A configuration whose arguments are what its class declares; the rest is the base class's."""

        def __init__(self, **given: Any) -> None:
            for name in type(self).__annotations__:
                setattr(self, name, given.pop(name, getattr(type(self), name)))
            self.__post_init__(**given)

        def __post_init__(self, **rest: Any) -> None:
            super().__init__(pad_token_id=self.pad_token_id, **rest)


try:
    from transformers import PreTrainedModel, initialization  # pyright: ignore[reportAssignmentType]
except ImportError:  # transformers 4: its base class knows no initial weights, torch's functions set them

    class initialization:  # a module in transformers 5
        """Functions that set a tensor in place."""

        zeros_ = staticmethod(nn.init.zeros_)
        copy_ = staticmethod(torch.Tensor.copy_)

    class PreTrainedModel(transformers.PreTrainedModel):
        """A model whose initial weights are BERT's."""

        def _init_weights(self, module: nn.Module) -> None:
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=self.config.initializer_range)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
            if isinstance(module, (nn.Linear, nn.LayerNorm)) and module.bias is not None:
                nn.init.zeros_(module.bias)
