"""Training on `transformers.Trainer`: task loss + lambda * penalty + distillation, resumable to the bit.

Two traps of the stock Trainer are closed here: batches come from a sampler that is a pure function of (seed, epoch),
and checkpoints are staged and renamed, so that a half-written one never counts.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from pruning.bert.slim_layer import (
    record_sensitivity,
    slim_layers,
    slim_parameters,
    surviving_share,
    total_penalty,
)
from pruning.bert.spelling import Stretches
from pruning.compress.sparse.movement import score_parameters
from pruning.data import Encoded, EncodedDataset, EpochBuckets, collate
from pruning.data.mixture import MixedBatches
from pruning.errors import TrainingError
from pruning.files import remove, written_aside
from pruning.losses import hidden_loss, logits_loss, task_loss
from pruning.training import checkpoints, processes
from pruning.training.checkpoints import STAGING, STATE
from pruning.training.context import Context
from pruning.training.progress import Evaluate, StudyProgress, history_of
from pruning.training.teacher_cache import TeacherCache

RESULT, HISTORY = "result", "history.json"


@dataclass(frozen=True)
class Distillation:
    """What a student learns from its teacher.

    Attributes:
        cache: the teacher's logits and hidden states, by example number.
        temperature: of the softened labels.
        logits_weight: weight of the distance to the teacher's logits.
        hidden_weight: weight of the distance to the teacher's hidden states; 0 leaves them out.
        task_weight: weight of the labels' own loss.
        columns: residual units that the student still has, or None for all of them.
        stretches: which tokens of student and teacher are the same text, where a cut vocabulary spells some words
            otherwise; None where both read the same tokens.
        states: which of the teacher's hidden states (0: its embeddings) each of the student's follows; None where both
            have as many.
    """

    cache: TeacherCache
    temperature: float = 2.0
    logits_weight: float = 1.0
    hidden_weight: float = 0.0
    task_weight: float = 0.5
    columns: np.ndarray | None = None
    stretches: Stretches | None = None
    states: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Mixture:
    """How long a training on own examples and others goes on, and how they are mixed; see `MixedBatches`.

    Attributes:
        steps: batches, on each process.
        own: how many of the examples are own; they come first.
        own_share: of each batch.
        last_share: of the steps, at the end, on own examples only.
    """

    steps: int
    own: int
    own_share: float
    last_share: float


@dataclass(frozen=True)
class Training:
    """One training of a study: what is trained on what, and how.

    Attributes:
        name: "teacher", "slim" or "recover-<budget>".
        folder: where checkpoints and the result live.
        encoded: training examples.
        epochs: passes over them; or, where it counts its steps, how they are mixed.
        rate: peak learning rate of the weights.
        alpha_rate: learning rate of slim factors, or of movement pruning's scores; 0 where there are none.
        penalty_weight: lambda.
        distillation: None while the teacher itself is trained.
        evaluate: network -> metrics, called after each epoch, for the history only.
        callbacks: told of every step, before anything is scored or saved; what keeps masks while weights move.
    """

    name: str
    folder: Path
    encoded: Encoded
    epochs: int | Mixture
    rate: float
    alpha_rate: float = 0.0
    penalty_weight: float = 0.0
    distillation: Distillation | None = None
    evaluate: Evaluate | None = field(default=None, repr=False)
    callbacks: tuple[TrainerCallback, ...] = ()


class StudyTrainer(Trainer):
    """A Trainer for one `Training`: its losses, optimiser groups, batch order and checkpoints."""

    def __init__(self, model: nn.Module, training: Training, context: Context) -> None:
        self.training = training
        self.is_regression = context.task.is_regression
        self.progress = StudyProgress(training.name, training.evaluate, context.quiet)
        settings, seed = context.config.trainer, context.seed
        self.buckets = batches_of(training, settings.batch_size, seed)
        steps = math.ceil(len(self.buckets) / processes.count())  # an epoch's; each process takes a batch at a step
        epochs = training.epochs if isinstance(training.epochs, int) else 1
        # The Trainer forgets the losses since its last log when it goes on, so a checkpoint always falls on a log.
        log_steps = max(1, min(50, steps, settings.checkpoint_steps))
        arguments = TrainingArguments(
            output_dir=str(training.folder),
            num_train_epochs=epochs,
            per_device_train_batch_size=settings.batch_size,
            learning_rate=training.rate,
            weight_decay=settings.weight_decay,
            warmup_steps=int(settings.warmup_share * steps * epochs),
            lr_scheduler_type="linear",
            logging_steps=log_steps,
            save_steps=settings.checkpoint_steps // log_steps * log_steps,
            save_strategy="steps",
            seed=seed,
            bf16=context.uses_bfloat16,
            use_cpu=context.on_cpu,
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_num_workers=0,
        )
        # One GPU a process: nn.DataParallel would copy the slim layers at each step. More GPUs take more processes.
        arguments._n_gpu = min(arguments.n_gpu, 1)
        super().__init__(
            model=model,
            args=arguments,
            train_dataset=cast(Any, EncodedDataset(training.encoded)),  # map-style, without torch's base class
            data_collator=collate(training.encoded, few_lengths=True),
            callbacks=[*training.callbacks, self.progress, EpochOrder(self.buckets)],
        )
        for callback in list(self.callback_handler.callbacks):  # the stock ones print dictionaries
            if type(callback).__name__ in ("PrinterCallback", "ProgressCallback"):
                self.remove_callback(callback)
        self.model_accepts_loss_kwargs = False
        self.network: nn.Module = model  # as given, where the Trainer may wrap it for several devices
        self.last_parts: dict[str, float] = {}

    def get_train_dataloader(self) -> DataLoader:
        """Length-bucketed batches, a pure function of (seed, epoch), dealt to the processes in turn."""
        loader = DataLoader(self.train_dataset, batch_sampler=self.buckets, collate_fn=self.data_collator)  # type: ignore[arg-type]
        return self.accelerator.prepare(loader)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with three groups: matrices (decayed), vectors (not), factors or scores (own rate, not decayed)."""
        if self.optimizer is None:
            alphas = [*slim_parameters(self.network), *score_parameters(self.network)]
            apart = {id(p) for p in alphas}
            trained = [p for p in self.network.parameters() if p.requires_grad and id(p) not in apart]
            groups: list[dict[str, Any]] = [
                {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.args.weight_decay},
                {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
            ]
            if alphas:
                groups.append({"params": alphas, "weight_decay": 0.0, "lr": self.training.alpha_rate})
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, fused=True)
        return self.optimizer

    def compute_loss(
        self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Task loss, distillation and penalty of one batch."""
        training = self.training
        index = inputs.pop("index").cpu().numpy()
        labels = inputs.pop("labels", None)
        teacher = training.distillation
        wants_hidden = teacher is not None and teacher.hidden_weight > 0
        output = model(**inputs, output_hidden_states=wants_hidden)
        logits = output.logits.float()
        parts: dict[str, torch.Tensor] = {}
        if labels is not None:
            weight = 1.0 if teacher is None else teacher.task_weight
            parts["task"] = weight * task_loss(logits, labels, self.is_regression)
        if teacher is not None:
            target = torch.from_numpy(teacher.cache.logits[index]).to(logits.device)
            distance = logits_loss(logits, target, teacher.temperature, self.is_regression)
            parts["logits"] = teacher.logits_weight * distance
            if wants_hidden:
                parts["hidden"] = teacher.hidden_weight * self._hidden(output, inputs["attention_mask"], index)
        if training.penalty_weight and slim_layers(self.network):
            parts["penalty"] = training.penalty_weight * total_penalty(self.network)
        if not parts:
            raise TrainingError(f"{training.name}: neither labels nor a teacher to learn from")
        loss = torch.stack(list(parts.values())).sum()
        if (self.state.global_step + 1) % self.args.logging_steps == 0:  # reading a scalar waits for the device
            self.last_parts = {name: float(part.detach()) for name, part in parts.items()}
        return (loss, output) if return_outputs else loss

    def _hidden(self, output: Any, attention_mask: torch.Tensor, index: np.ndarray) -> torch.Tensor:
        teacher = self.training.distillation
        assert teacher is not None
        states, weights, device = output.hidden_states, attention_mask.float(), attention_mask.device
        longest = int(max(attention_mask.shape[1], teacher.cache.lengths[index].max()))
        target = teacher.cache.hidden(index, longest)
        if teacher.columns is not None:
            target = target[..., torch.from_numpy(teacher.columns)]
        target, variance = target.to(device), torch.from_numpy(teacher.cache.variance).to(device)
        if teacher.states is not None:
            target, variance = target[list(teacher.states)], variance[list(teacher.states)]
        if teacher.stretches is not None:
            matrices = teacher.stretches.pooling(index, attention_mask.shape[1], longest)
            mine, theirs, weights = (torch.from_numpy(matrix).to(device) for matrix in matrices)
            states, target = tuple(mine @ state.float() for state in states), theirs @ target
        return hidden_loss(states, target, weights, variance)

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Forward and backward pass; gradients are whole here, and clipped only later."""
        loss = super().training_step(*args, **kwargs)
        record_sensitivity(self.network, self.training.penalty_weight)
        return loss

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Add the parts of the loss and the share of units still alive."""
        if "loss" in logs:
            logs = logs | self.last_parts
            if slim_layers(self.network):
                logs["alive"] = surviving_share(self.network)
        super().log(logs, *args, **kwargs)

    # ---- checkpoints -------------------------------------------------------------------------------------------

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        """Save what training changes, and nothing else: the rest comes from the backbone."""
        if self.args.should_save:
            folder = Path(output_dir or self.training.folder)
            folder.mkdir(parents=True, exist_ok=True)
            checkpoints.save_trained_state(self.network, folder / STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        checkpoints.load_trained_state(self.network, Path(resume_from_checkpoint) / STATE)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint aside, each process its part, then rename it."""
        folder = self.training.folder
        if self.args.should_save:
            remove(folder / STAGING)
        self.accelerator.wait_for_everyone()
        self.args.output_dir = str(folder / STAGING)
        try:
            super()._save_checkpoint(model, trial)
        except RuntimeError as error:  # torch's writer has no other word for a full disk
            if processes.count() > 1 and processes.lost_another(error):
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(f"{folder}: a checkpoint cannot be written ({reason}); expected free disk") from error
        finally:
            self.args.output_dir = str(folder)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            checkpoints.complete_checkpoint(folder, f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}")


class EpochOrder(TrainerCallback):
    """Tells the batch sampler its epoch.

    Where several processes go on inside an epoch, it is wrapped twice, in a shard and in what skips the batches done,
    and neither the Trainer nor accelerate reach it.
    """

    def __init__(self, buckets: EpochBuckets | MixedBatches) -> None:
        self.buckets = buckets

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called before the first batch; `state.epoch` is a fraction inside an epoch."""
        self.buckets.set_epoch(int(state.epoch or 0))


def batches_of(training: Training, batch_size: int, seed: int) -> EpochBuckets | MixedBatches:
    """The order of a training's batches, a pure function of the seed (and the epoch)."""
    lengths, mixture = training.encoded.lengths, training.epochs
    if isinstance(mixture, int):
        return EpochBuckets(lengths, batch_size, seed)
    return MixedBatches(
        lengths,
        mixture.own,
        batch_size,
        seed,
        batches=mixture.steps * processes.count(),
        own_share=mixture.own_share,
        last_share=mixture.last_share,
    )


def train(model: nn.Module, training: Training, context: Context) -> list[dict[str, Any]]:
    """Train to the end, or go on where it was interrupted; changes `model` and returns the history.

    A finished training is only loaded. The result (trained parameters and history) is renamed into place last.

    Args:
        model: the network, on any device; left on the CPU in eval mode.
        training: what to train on.
        context: of the study.
    """
    result = training.folder / RESULT
    if not result.is_dir():
        training.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(context.seed)
        trainer = StudyTrainer(model, training, context)
        checkpoint = checkpoints.newest_checkpoint(training.folder)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            trainer.progress.close()  # an interrupted bar would stand in the last line's way
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # drop the autocast wrapper of forward
        if trainer.args.should_save:
            with written_aside(result) as aside:
                aside.mkdir()
                checkpoints.save_trained_state(model, aside / STATE)
                history = history_of(training.name, trainer.state.log_history)
                (aside / HISTORY).write_text(json.dumps(history), encoding="utf-8")
        trainer.accelerator.wait_for_everyone()
    if processes.is_main():
        checkpoints.remove_checkpoints(training.folder)
    model.cpu()
    checkpoints.load_trained_state(model, result / STATE)
    model.eval()
    return json.loads((result / HISTORY).read_text(encoding="utf-8"))
