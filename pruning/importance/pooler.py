"""How much each unit of the pooler matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruning.bert.model import classifier
from pruning.data.batches import Encoded, collate
from pruning.importance.gradients import BATCH, INPUTS, drawn


@torch.no_grad()
def pooler_importance(model: Any, encoded: Encoded, *, seed: int) -> np.ndarray:
    """How much each pooler unit moves the logits: its spread over examples times the spread of its output weights.

    Returns:
        (pooler,) float32.
    """
    index = drawn(encoded, seed)
    make_batch = collate(encoded, few_lengths=True)
    device = next(model.parameters()).device
    pooled: list[torch.Tensor] = []
    last = classifier(model)
    handle = last.register_forward_pre_hook(lambda module, args: pooled.append(args[0]))
    try:
        for start in range(0, len(index), BATCH):
            batch = make_batch(np.sort(index[start : start + BATCH]).tolist())
            model(**{name: batch[name].to(device) for name in INPUTS})
    finally:
        handle.remove()
    spread = torch.cat(pooled).std(0, unbiased=False)
    # A softmax ignores what all labels share; a single score does not.
    weight = last.weight - last.weight.mean(0) if len(last.weight) > 1 else last.weight
    return (spread * weight.norm(dim=0)).cpu().float().numpy()
