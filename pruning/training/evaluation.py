"""How a network in training does on the validation split: for the history, never to choose anything."""

from __future__ import annotations

from torch import nn

from pruning.data import Encoded, Task
from pruning.measure.logits import encoded_logits
from pruning.measure.metrics import metrics
from pruning.training.progress import Evaluate


def evaluator(task: Task, encoded: Encoded) -> Evaluate:
    """A function that gives a network's metrics on these examples, wherever the network is."""

    def evaluate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        return metrics(task, encoded_logits(model, encoded, device=device, few_lengths=True), encoded.labels)

    return evaluate
