"""The stage that fine-tunes the backbone: the dense reference of every comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import torch as tensors

from pruning.bert import backbones, vocabulary
from pruning.bert.adapter import load_trained
from pruning.bert.model import bert_shape
from pruning.files import written_aside
from pruning.training import processes
from pruning.training.context import Context
from pruning.training.evaluation import evaluator
from pruning.training.start import begin_at
from pruning.training.trainer import Training, train

LORA_TARGETS = ("query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense")


@dataclass(frozen=True)
class Teacher:
    """A trained teacher.

    Attributes:
        model: dense network in eval mode, on the CPU: what is stored, loaded again.
        folder: adapter or weights, as the study stores them; None where it stores none, for they are somebody else's.
        history: what training reported.
    """

    model: Any
    folder: Path | None
    history: list[dict[str, Any]]


def train_teacher(context: Context, folder: Path) -> Teacher:
    """The stage: fine-tune the backbone by adapter or fully; one that comes fine-tuned is taken as it is.

    Args:
        context: of the study.
        folder: of the stage.
    """
    settings, seed = context.config.teacher, context.config.seed
    if context.has_given_teacher:
        return _given_teacher(context, folder)
    model = backbones.load_backbone(context.backbone, context.task, seed)
    is_adapter = settings.tuning == "adapter"
    if is_adapter:
        model = _with_adapter(model, settings.rank, seed)
    if context.start is not None:
        begin_at(model, context.start, settings.rank if is_adapter else None)
    training = Training(
        name="teacher",
        folder=folder,
        encoded=context.texts,
        epochs=settings.epochs,
        rate=settings.rate if is_adapter else settings.full_rate,
        evaluate=evaluator(context.task, context.validation),
    )
    history = train(model, training, context)
    # What is shipped is what everything is compared with: half-precision adapter, merged.
    stored = _stored(context, model, folder)
    dense = load_trained(backbones.load_backbone(context.backbone, context.task, seed), stored)
    return Teacher(dense, stored, history)


def _given_teacher(context: Context, folder: Path) -> Teacher:
    """The backbone itself; rounded through half precision where its weights are to be stored."""
    model = given_network(context)
    if not context.config.keep_teacher:
        return Teacher(model, None, [])
    stored = _stored(context, model, folder)
    return Teacher(load_trained(model, stored), stored, [])


def given_network(context: Context) -> Any:
    """A backbone that comes fine-tuned, with its own head."""
    return backbones.load_backbone(context.backbone, context.task, context.config.seed, with_head=True)


def _stored(context: Context, model: Any, folder: Path) -> Path:
    """The teacher's weights in half precision, written once."""
    stored = folder / "stored"
    with processes.main_first():
        if not stored.is_dir():
            with written_aside(stored) as aside:
                store_teacher(model, aside, context.backbone.name)
                if context.has_given_teacher:  # so that nothing but the study is needed to load it
                    model.config.save_pretrained(aside)
                    pieces = np.arange(bert_shape(model).vocabulary)
                    vocabulary.cut_tokenizer(context.tokenizer, pieces).save_pretrained(aside)
    return stored


def _with_adapter(model: Any, rank: int, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    settings = LoraConfig(
        r=rank,
        lora_alpha=rank,
        target_modules=list(LORA_TARGETS),
        modules_to_save=["pooler", "classifier"],
        lora_dropout=0.0,
    )
    torch.manual_seed(seed)
    return get_peft_model(model, settings)


def store_teacher(model: Any, folder: Path, backbone: str) -> None:
    """Write a teacher in half precision: its adapter where it has one, else all weights.

    Args:
        model: in eval mode.
        folder: not there yet.
        backbone: name that the adapter gives as its base.
    """
    folder.mkdir(parents=True)
    if not hasattr(model, "peft_config"):
        half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
        tensors.save_file(half, folder / backbones.WEIGHTS, metadata={"format": "pt"})
        return
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)  # peft's template says nothing about this teacher
    path = folder / "adapter_model.safetensors"
    half = {name: tensor.half().contiguous() for name, tensor in tensors.load_file(path).items()}
    tensors.save_file(half, path, metadata={"format": "pt"})
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    settings["base_model_name_or_path"] = backbone
    settings["target_modules"] = sorted(settings["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=2, sort_keys=True), encoding="utf-8")
