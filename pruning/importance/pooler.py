"""How much each unit of the pooler matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pruning.bert.model import classifier
from pruning.data.batches import Encoded, collate
from pruning.importance.gradients import BATCH, INPUTS, drawn


@contextmanager
def pooled_states(model: Any) -> Iterator[list[torch.Tensor]]:
    """What the pooler puts out in every pass inside, one (batch, pooler) each."""
    pooled: list[torch.Tensor] = []
    handle = classifier(model).register_forward_pre_hook(lambda module, args: pooled.append(args[0].detach()))
    try:
        yield pooled
    finally:
        handle.remove()


@torch.no_grad()
def pooler_importance(model: Any, encoded: Encoded, *, seed: int) -> np.ndarray:
    """How much each pooler unit moves the logits of the examples that criteria are computed on; see `moved`.

    Returns:
        (pooler,) float32.
    """
    index = drawn(encoded, seed)
    index = index[np.argsort(encoded.lengths[index], kind="stable")]
    make_batch = collate(encoded, few_lengths=True)
    device = next(model.parameters()).device
    with pooled_states(model) as pooled:
        for start in range(0, len(index), BATCH):
            batch = make_batch(index[start : start + BATCH].tolist())
            model(**{name: batch[name].to(device) for name in INPUTS})
    return moved(model, pooled)


@torch.no_grad()
def moved(model: Any, pooled: list[torch.Tensor]) -> np.ndarray:
    """Each pooler unit's spread over examples times the spread of its output weights.

    Args:
        model: a BERT classifier.
        pooled: its pooled states, every example as often as the others.

    Returns:
        (pooler,) float32.
    """
    spread, last = torch.cat(pooled).std(0, unbiased=False), classifier(model)
    # A softmax ignores what all labels share; a single score does not.
    weight = last.weight - last.weight.mean(0) if len(last.weight) > 1 else last.weight
    return (spread * weight.norm(dim=0)).cpu().float().numpy()
