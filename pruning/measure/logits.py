"""What networks answer, as logits: the one loop over batches, and the one forward pass that it is made of.

torch is imported inside functions, as everywhere in this package that the dashboard reads before it needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from pruning.data.batches import Encoded, collate
from pruning.data.examples import Examples
from pruning.errors import Stopped
from pruning.measure.devices import synchronize
from pruning.measure.network import Network

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
BATCH_SIZE = 64

Progress = Callable[[int, int], None]


def predict_logits(
    network: Network,
    examples: Examples,
    *,
    batch_size: int = BATCH_SIZE,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Logits of all examples, in their order. The same call gives the same numbers, whoever asks.

    Args:
        network: who answers.
        examples: texts or pairs.
        batch_size: texts a batch; texts of like length go together.
        progress: called after each batch with (examples done, all).
        should_stop: asked before each batch.

    Returns:
        (examples, labels) float32.

    Raises:
        Stopped: if `should_stop` said so.
        DataError: if there are no examples.
    """
    return encoded_logits(
        network.model,
        network.encode(examples),
        device=network.device,
        batch_size=batch_size,
        progress=progress,
        should_stop=should_stop,
    )


def encoded_logits(
    model: Any,
    encoded: Encoded,
    *,
    device: Any = "cpu",
    batch_size: int = BATCH_SIZE,
    few_lengths: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray:
    """Logits of encoded examples, in their order; see `predict_logits`.

    Args:
        model: teacher or slim network on `device`; left in eval mode.
        encoded: at least one example.
        device: where the model is.
        batch_size: examples a batch.
        few_lengths: pad further, so that few lengths occur; see `data.batches.collate`.
        progress: called after each batch with (examples done, all).
        should_stop: asked before each batch.
    """
    make_batch = collate(encoded, few_lengths=few_lengths)
    order = np.argsort(encoded.lengths, kind="stable")
    model.eval()
    parts: list[np.ndarray] = []
    for start in range(0, len(order), batch_size):
        if should_stop is not None and should_stop():
            raise Stopped(f"stopped after {start} of {len(order)} examples")
        rows = order[start : start + batch_size]
        parts.append(forward(model, inputs_on(make_batch(rows.tolist()), device)).float().cpu().numpy())
        if progress is not None:
            progress(start + len(rows), len(order))
    logits = np.concatenate(parts)
    restored = np.empty_like(logits)
    restored[order] = logits
    return restored


def inputs_on(batch: Mapping[str, Any], device: Any) -> dict[str, Any]:
    """What a network reads of a batch, on its device."""
    return {name: batch[name].to(device) for name in INPUTS}


def batch_inputs(network: Network, encoded: Encoded, rows: Sequence[int] | None = None) -> dict[str, Any]:
    """Some examples (or all) as one padded batch on a network's device."""
    return inputs_on(collate(encoded)(range(len(encoded)) if rows is None else rows), network.device)


def forward(model: Any, inputs: Mapping[str, Any]) -> Any:
    """Logits of one batch, a tensor (examples, labels), without gradients."""
    import torch

    with torch.inference_mode():
        return model(**inputs).logits


def timed_forward(network: Network, inputs: Mapping[str, Any]) -> tuple[np.ndarray, float]:
    """Logits of one batch, (examples, labels) float32, and the seconds that the forward pass took.

    Hold `timing.TIMING_LOCK` around it, or the seconds are those of others as well.
    """
    synchronize(network.device)
    start = perf_counter()
    logits = forward(network.model, inputs)
    synchronize(network.device)
    seconds = perf_counter() - start
    return logits.float().cpu().numpy(), seconds
