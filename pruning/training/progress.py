"""What a person sees of a training, and what its history keeps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from torch import nn
from tqdm import tqdm
from transformers import TrainerCallback

from pruning.data import METRIC_TITLES

LOGGED = ("step", "epoch", "loss", "task", "logits", "hidden", "penalty", "alive", "learning_rate")
Evaluate = Callable[[nn.Module], dict[str, float]]


class StudyProgress(TrainerCallback):
    """A progress bar with what a person wants to see, and an evaluation for the history after each epoch.

    Args:
        name: of the stage.
        evaluate: network -> metrics, or None.
        quiet: no bar.
    """

    def __init__(self, name: str, evaluate: Evaluate | None, quiet: bool) -> None:
        self.name, self.evaluate, self.quiet = name, evaluate, quiet
        self.bar: tqdm | None = None
        self.shown: dict[str, str] = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Open the bar at the step that training goes on from."""
        if state.global_step and float(state.epoch).is_integer():
            self._evaluate(state, model)  # an epoch's last checkpoint is written before the epoch is evaluated
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc=self.name,
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
        for key in ("loss", "penalty", "alive"):
            if logs and key in logs:
                self.shown[key] = f"{logs[key]:.1%}" if key == "alive" else f"{logs[key]:.4g}"
        if self.bar is not None:
            self.bar.set_postfix(self.shown, refresh=False)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Evaluate for the history (never to choose anything)."""
        self._evaluate(state, model)

    def _evaluate(self, state: Any, model: Any) -> None:
        if self.evaluate is None or not state.is_world_process_zero:
            return
        metrics = self.evaluate(model)
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


def history_of(name: str, log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a study keeps of the Trainer's log: one entry a logged step, one with metrics an epoch."""
    keys = (*LOGGED, *sorted(METRIC_TITLES))
    return [
        {"stage": name, **{key: entry[key] for key in keys if key in entry}}
        for entry in log
        if "train_runtime" not in entry
    ]
