"""What travels together through all training: the data, where it starts from, and the machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch

from pruning.bert.backbones import Backbone
from pruning.config import StudyConfig
from pruning.data import Encoded, StudyData, Task, encode
from pruning.training.start import Start


@dataclass(frozen=True)
class Context:
    """One study in training.

    Attributes:
        config: settings, resolved.
        data: task and examples; the training rows are those that are used.
        backbone: that the teacher starts from.
        tokenizer: the backbone's.
        device: "cpu" to stay off accelerators; None: one is picked up where there is one.
        precision: that training computes in, "float32" or "bfloat16".
        quiet: no progress bars.
        start: another task's teacher that this one's starts from, if any.
        training_seed: of training, where it is not the study's own.
    """

    config: StudyConfig
    data: StudyData
    backbone: Backbone
    tokenizer: Any
    device: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    quiet: bool = False
    start: Start | None = None
    training_seed: int | None = None

    @property
    def has_given_teacher(self) -> bool:
        """Whether the backbone comes fine-tuned and is the teacher itself."""
        return self.config.has_given_teacher

    @property
    def task(self) -> Task:
        """What the networks are trained for."""
        return self.data.task

    def with_seed(self, seed: int | None) -> Context:
        """The same with another seed of training, or its own; data and settings stay as they were drawn and made."""
        return replace(self, training_seed=seed)

    @property
    def seed(self) -> int:
        """Of training: initial weights, batch order, dropout."""
        return self.config.seed if self.training_seed is None else self.training_seed

    @property
    def on_cpu(self) -> bool:
        """Whether training stays off accelerators."""
        return trains_on_cpu(self.device)

    @property
    def torch_device(self) -> str:
        """The device itself, as torch names it."""
        return self.device or ("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def uses_bfloat16(self) -> bool:
        """Whether training runs under autocast."""
        return self.precision == "bfloat16"

    @cached_property
    def texts(self) -> Encoded:
        """The training examples as the teacher reads them."""
        return encode(self.tokenizer, self.data.train, self.config.max_length)

    @cached_property
    def validation(self) -> Encoded:
        """The first validation split as the teacher reads it."""
        return self.validation_for(self.tokenizer)

    def validation_for(self, tokenizer: Any) -> Encoded:
        """The first validation split as another tokenizer reads it."""
        return encode(tokenizer, next(iter(self.data.validation.values())), self.config.max_length)


def native_bfloat16() -> bool:
    """Whether this machine multiplies bfloat16 in hardware (elsewhere it is slower than float32)."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def resolve_precision(precision: Literal["auto", "float32", "bfloat16"]) -> Literal["float32", "bfloat16"]:
    """What "auto" stands for on this machine; others stand for themselves."""
    if precision != "auto":
        return precision
    return "bfloat16" if native_bfloat16() else "float32"


def trains_on_cpu(device: str | None) -> bool:
    """Whether training stays off accelerators: asked to, or there are none."""
    return device == "cpu" or not has_accelerator()


def has_accelerator() -> bool:
    """Whether there is a GPU."""
    return torch.cuda.is_available() or torch.backends.mps.is_available()
