"""What each single head does to one answer: heads turned over one at a time, many of them in one forward pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

Head = tuple[int, int]  # layer and head as the uncut network numbers them, from 0


def turned_over(model: Any, inputs: Mapping[str, Any], off: Collection[Head], heads: Sequence[Head]) -> np.ndarray:
    """A network's answers to one example with each of some heads in the other state than it was.

    A gate at 0 is a head cut (the law of `compress.without_heads`), so no network is built for it.

    Args:
        model: a slim network, or a dense one as `slimbert.dense_from_bert` makes it.
        inputs: one example, each (1, tokens).
        off: heads that are gated off beforehand.
        heads: those turned over, one at a time: one of `off` is put back, any other is gated off as well.

    Returns:
        (1 + heads, labels) float32: the answer with `off` as it is, then one for each head.
    """
    import torch

    from pruning.measure.logits import forward

    rows = 1 + len(heads)
    device = inputs["input_ids"].device
    shape = (rows, len(model.config.kept_heads), model.config.original["heads"])
    gates = torch.ones(shape, device=device)
    for layer, head in off:
        gates[:, layer, head] = 0
    for row, (layer, head) in enumerate(heads, start=1):
        gates[row, layer, head] = 1 - gates[row, layer, head]
    repeated = {name: tensor.expand(rows, -1) for name, tensor in inputs.items()}
    return forward(model, repeated | {"head_gates": gates}).float().cpu().numpy()
