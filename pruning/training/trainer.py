"""Training on `transformers.Trainer`: task loss + lambda * penalty + distillation, resumable to the bit.

Two traps of the stock Trainer are closed here: batches come from a sampler that is a pure function of (seed, epoch),
and checkpoints are staged and renamed, so that a half-written one never counts.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from pruning.bert.slim_layer import slim_layers, slim_parameters, surviving_share, total_penalty
from pruning.config import StudyConfig
from pruning.data.batches import Encoded, EncodedDataset, EpochBuckets, collate
from pruning.errors import TrainingError
from pruning.losses import hidden_loss, logits_loss, task_loss
from pruning.training import processes
from pruning.training.teacher_cache import TeacherCache

COMPLETE = "complete.json"  # written last into a checkpoint: name -> size of every other file
STATE = "model.safetensors"
STAGING = "staging"  # folder of a checkpoint that is being written


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
        aligned: (examples,) bool, whether student and teacher read the same tokens (a cut vocabulary spells some
            words out; their hidden states cannot be matched); None means all.
    """

    cache: TeacherCache
    temperature: float = 2.0
    logits_weight: float = 1.0
    hidden_weight: float = 0.0
    task_weight: float = 0.5
    columns: np.ndarray | None = None
    aligned: np.ndarray | None = None


@dataclass(frozen=True)
class Stage:
    """One training run of a study.

    Attributes:
        name: "teacher", "slim" or "recover-<percent>".
        folder: where checkpoints and the result live.
        encoded: training examples.
        epochs: passes over them.
        rate: peak learning rate of the weights.
        is_regression: mean squared error instead of cross entropy.
        alpha_rate: learning rate of slim factors; 0 where there are none.
        penalty_weight: lambda.
        distillation: None while the teacher itself is trained.
        evaluate: network -> metrics, called after each epoch, for the history only.
    """

    name: str
    folder: Path
    encoded: Encoded
    epochs: int
    rate: float
    is_regression: bool
    alpha_rate: float = 0.0
    penalty_weight: float = 0.0
    distillation: Distillation | None = None
    evaluate: Callable[[nn.Module], dict[str, float]] | None = field(default=None, repr=False)


def native_bfloat16() -> bool:
    """Whether this machine multiplies bfloat16 in hardware (elsewhere it is slower than float32)."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _has_accelerator() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def trains_on_cpu(device: str | None) -> bool:
    """Whether training stays off accelerators: asked to, or there are none."""
    return device == "cpu" or not _has_accelerator()


def uses_bfloat16(config: StudyConfig) -> bool:
    """Resolve the configured precision on this machine."""
    return config.trainer.precision == "bfloat16" or (config.trainer.precision == "auto" and native_bfloat16())


class StudyTrainer(Trainer):
    """A Trainer for one `Stage`: its losses, optimiser groups, batch order and checkpoints."""

    def __init__(self, model: nn.Module, stage: Stage, config: StudyConfig, device: str | None, quiet: bool) -> None:
        self.stage = stage
        self.progress = StudyProgress(stage, quiet)
        self.buckets = EpochBuckets(stage.encoded.lengths, config.trainer.batch_size, config.seed)
        steps = math.ceil(len(self.buckets) / processes.count())  # an epoch's; each process takes a batch at a step
        # The Trainer forgets the losses since its last log when it goes on, so a checkpoint always falls on a log.
        log_steps = max(1, min(50, steps, config.trainer.checkpoint_steps))
        arguments = TrainingArguments(
            output_dir=str(stage.folder),
            num_train_epochs=stage.epochs,
            per_device_train_batch_size=config.trainer.batch_size,
            learning_rate=stage.rate,
            weight_decay=config.trainer.weight_decay,
            warmup_steps=int(config.trainer.warmup_share * steps * stage.epochs),
            lr_scheduler_type="linear",
            logging_steps=log_steps,
            save_steps=config.trainer.checkpoint_steps // log_steps * log_steps,
            save_strategy="steps",
            seed=config.seed,
            bf16=uses_bfloat16(config),
            use_cpu=trains_on_cpu(device),
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
            train_dataset=cast(Any, EncodedDataset(stage.encoded)),  # a map-style dataset, without torch's base class
            data_collator=collate(stage.encoded, few_lengths=True),
            callbacks=[self.progress, EpochOrder(self.buckets)],
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
        """AdamW with three groups: matrices (decayed), vectors (not), slim factors (their own rate, not decayed)."""
        if self.optimizer is None:
            alphas = {id(p) for p in slim_parameters(self.network)}
            trained = [p for p in self.network.parameters() if p.requires_grad and id(p) not in alphas]
            groups: list[dict[str, Any]] = [
                {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.args.weight_decay},
                {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
            ]
            if alphas:
                groups.append(
                    {"params": slim_parameters(self.network), "weight_decay": 0.0, "lr": self.stage.alpha_rate}
                )
            self.optimizer = torch.optim.AdamW(groups, lr=self.args.learning_rate, fused=True)
        return self.optimizer

    def compute_loss(
        self, model: nn.Module, inputs: dict, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Task loss, distillation and penalty of one batch."""
        stage = self.stage
        index = inputs.pop("index").cpu().numpy()
        labels = inputs.pop("labels", None)
        teacher = stage.distillation
        wants_hidden = teacher is not None and teacher.hidden_weight > 0
        output = model(**inputs, output_hidden_states=wants_hidden)
        logits = output.logits.float()
        parts: dict[str, torch.Tensor] = {}
        if labels is not None:
            weight = 1.0 if teacher is None else teacher.task_weight
            parts["task"] = weight * task_loss(logits, labels, stage.is_regression)
        if teacher is not None:
            target = torch.from_numpy(teacher.cache.logits[index]).to(logits.device)
            distance = logits_loss(logits, target, teacher.temperature, stage.is_regression)
            parts["logits"] = teacher.logits_weight * distance
            if wants_hidden:
                parts["hidden"] = teacher.hidden_weight * self._hidden(output, inputs["attention_mask"], index)
        if stage.penalty_weight and slim_layers(self.network):
            parts["penalty"] = stage.penalty_weight * total_penalty(self.network)
        if not parts:
            raise TrainingError(f"{stage.name}: neither labels nor a teacher to learn from")
        loss = torch.stack(list(parts.values())).sum()
        if (self.state.global_step + 1) % self.args.logging_steps == 0:  # reading a scalar waits for the device
            self.last_parts = {name: float(part.detach()) for name, part in parts.items()}
        return (loss, output) if return_outputs else loss

    def _hidden(self, output: Any, attention_mask: torch.Tensor, index: np.ndarray) -> torch.Tensor:
        teacher = self.stage.distillation
        assert teacher is not None
        weights = attention_mask.float()
        longest = attention_mask.shape[1]
        if teacher.aligned is not None:
            aligned = teacher.aligned[index]
            weights = weights * torch.from_numpy(aligned.astype(np.float32)).to(weights.device)[:, None]
            longest = max(longest, int(np.diff(teacher.cache.starts)[index].max()))
        target = teacher.cache.hidden(index, longest)[:, :, : attention_mask.shape[1]]
        if teacher.columns is not None:
            target = target[..., torch.from_numpy(teacher.columns)]
        variance = torch.from_numpy(teacher.cache.variance)
        device = weights.device
        return hidden_loss(output.hidden_states, target.to(device), weights, variance.to(device))

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
            folder = Path(output_dir or self.stage.folder)
            folder.mkdir(parents=True, exist_ok=True)
            save_file(trained_state(self.network), folder / STATE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        load_trained_state(self.network, Path(resume_from_checkpoint) / STATE)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint aside, then rename it: an interrupted write never looks like a checkpoint."""
        name = f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        staging = self.stage.folder / STAGING
        final = self.stage.folder / name
        if self.args.should_save:
            shutil.rmtree(staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.args.output_dir = str(staging)
        try:
            super()._save_checkpoint(model, trial)
        except RuntimeError as error:  # torch's writer has no other word for a full disk
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TrainingError(f"{staging}: a checkpoint cannot be written ({reason}); expected free disk") from error
        finally:
            self.args.output_dir = str(self.stage.folder)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            written = staging / name
            sizes = {file.name: file.stat().st_size for file in written.iterdir()}
            (written / COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")
            shutil.rmtree(final, ignore_errors=True)
            written.replace(final)
            shutil.rmtree(staging, ignore_errors=True)
            for old in _checkpoints(self.stage.folder)[2:]:
                shutil.rmtree(old, ignore_errors=True)


def trained_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters that training changes, on the CPU, by name."""
    return {
        name: parameter.detach().cpu().clone().contiguous()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def load_trained_state(model: nn.Module, path: Path) -> None:
    """Put back what `trained_state` saved.

    Raises:
        TrainingError: if the file is of another network.
    """
    state = load_file(path)
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if state.keys() != parameters.keys():
        raise TrainingError(f"{path.parent.name}/{path.name}: holds other parameters than the network in training")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(state[name])


def _checkpoints(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first."""
    found = [path for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if path.name.split("-")[-1].isdigit()]
    return sorted(found, key=lambda path: -int(path.name.split("-")[-1]))


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint whose files are all there at their full size; None where there is none."""
    for path in _checkpoints(folder):
        try:
            sizes = json.loads((path / COMPLETE).read_text(encoding="utf-8"))
            if all((path / name).stat().st_size == size for name, size in sizes.items()):
                return path
        except (OSError, ValueError, AttributeError):
            continue
    return None


class EpochOrder(TrainerCallback):
    """Tells the batch sampler its epoch.

    Where several processes go on inside an epoch, it is wrapped twice, in a shard and in what skips the batches done,
    and neither the Trainer nor accelerate reach it.
    """

    def __init__(self, buckets: EpochBuckets) -> None:
        self.buckets = buckets

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called before the first batch; `state.epoch` is a fraction inside an epoch."""
        self.buckets.set_epoch(int(state.epoch or 0))


class StudyProgress(TrainerCallback):
    """A progress bar with what a person wants to see, and an evaluation for the history after each epoch."""

    def __init__(self, stage: Stage, quiet: bool) -> None:
        self.stage = stage
        self.quiet = quiet
        self.bar: tqdm | None = None
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Open the bar at the step that training goes on from."""
        if state.global_step and float(state.epoch).is_integer():
            self._evaluate(state, model)  # an epoch's last checkpoint is written before the epoch is evaluated
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self.stage.name,
            unit="step",
            file=sys.stderr,
            disable=self.quiet or not state.is_world_process_zero,
            mininterval=1.0,
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Advance the bar."""
        if self.bar is not None:
            self.bar.update(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **kwargs: Any) -> None:
        """Show loss, penalty and surviving share."""
        for key, name in (("loss", "loss"), ("penalty", "penalty"), ("alive", "alive")):
            if logs and key in logs:
                self.shown[name] = f"{logs[key]:.1%}" if key == "alive" else f"{logs[key]:.4g}"
        if self.bar is not None:
            self.bar.set_postfix(self.shown, refresh=False)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Evaluate for the history (never to choose anything)."""
        self._evaluate(state, model)

    def _evaluate(self, state: Any, model: Any) -> None:
        if self.stage.evaluate is None or not state.is_world_process_zero:
            return
        metrics = self.stage.evaluate(model)
        state.log_history.append({"step": state.global_step, "epoch": state.epoch, **metrics})
        name = next(iter(metrics))
        self.shown[name] = f"{metrics[name]:.4f}"

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar, if it is open."""
        if self.bar is not None:
            self.bar.close()


HISTORY_KEYS = ("step", "epoch", "loss", "task", "logits", "hidden", "penalty", "alive", "learning_rate")


def run_stage(
    model: nn.Module, stage: Stage, config: StudyConfig, *, device: str | None = None, quiet: bool = False
) -> list[dict[str, Any]]:
    """Train a stage, or go on with it where it was interrupted; changes `model` and returns the history.

    A finished stage is only loaded. The result (trained parameters and history) is renamed into place last.

    Args:
        model: the network, on any device; left on the CPU in eval mode.
        stage: what to train on.
        config: the study's settings.
        device: "cpu" to stay off accelerators; otherwise the Trainer picks.
        quiet: no progress bar.
    """
    result = stage.folder / "result"
    if not (result / "history.json").is_file():
        stage.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(config.seed)
        trainer = StudyTrainer(model, stage, config, device, quiet)
        checkpoint = newest_checkpoint(stage.folder)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            trainer.progress.close()  # an interrupted bar would stand in the last line's way
        trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # drop the autocast wrapper of forward
        if trainer.args.should_save:
            metric_names = {key for entry in trainer.state.log_history for key in entry} - {"total_flos", "train_loss"}
            keys = [*HISTORY_KEYS, *sorted(n for n in metric_names if n in _METRICS)]
            history = [
                {"stage": stage.name, **{key: entry[key] for key in keys if key in entry}}
                for entry in trainer.state.log_history
                if "train_runtime" not in entry
            ]
            staging = stage.folder / "result.partial"
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
            save_file(trained_state(model), staging / STATE)
            (staging / "history.json").write_text(json.dumps(history), encoding="utf-8")
            staging.rename(result)
        trainer.accelerator.wait_for_everyone()
    if processes.is_main():
        for path in (*_checkpoints(stage.folder), stage.folder / STAGING):
            shutil.rmtree(path, ignore_errors=True)
    model.cpu()
    load_trained_state(model, result / STATE)
    model.eval()
    return json.loads((result / "history.json").read_text(encoding="utf-8"))


_METRICS = ("accuracy", "f1", "mcc", "pearson", "spearman")
