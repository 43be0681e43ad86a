"""One pass of gradients for all criteria that need them, by a gate of 1 on each activation.

Of the teacher's loss, and of its answer (see `losses.certainty`): a teacher knows most training rows by heart, where
its loss has hardly a gradient left, so that a few rows which it gets wrong speak for all. Its answers do not fade like
that, and need no labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pruning.bert.gates import hook_gates
from pruning.bert.model import bert_shape
from pruning.bert.shapes import BertShape, Site
from pruning.data.batches import Encoded, collate
from pruning.importance.factors import Importance
from pruning.importance.registry import Criterion, Need
from pruning.losses import certainty, task_loss

EXAMPLES = 512  # enough for ranks that hardly move; a minute on two cores
BATCH = 32
# What a backward pass through gates holds, in numbers a layer and token, as measured; and how many numbers it may hold.
HELD_HIDDEN, HELD_FFN = 18, 6
HELD = 400_000_000
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
KINDS: tuple[Need, ...] = ("gradients", "answers")  # what gradients may be taken of, as criteria need them
Place = tuple[Site, int | None]  # a gate's site and layer


class _ExampleGate:
    """A gate of ones with an axis per example, so that one backward pass gives every example's own gradient."""

    def __init__(self) -> None:
        self.gates: list[torch.Tensor] = []

    def __call__(self, activations: torch.Tensor) -> torch.Tensor:
        gate = torch.ones(activations.shape[0], 1, activations.shape[-1], requires_grad=True, device=activations.device)
        self.gates.append(gate)
        return activations * gate

    def take(self) -> np.ndarray:
        """The gradient by the gate since the last call, summed over the places it was used at: (batch, units)."""
        grads = [gate.grad for gate in self.gates if gate.grad is not None]
        for gate in self.gates:
            gate.grad = None
        return torch.stack(grads).sum(0).squeeze(1).cpu().numpy()


def gradient_importance(
    teacher: Any, encoded: Encoded, criteria: Iterable[Criterion], *, is_regression: bool, seed: int
) -> dict[str, Importance]:
    """What criteria find in the gradients on training examples, each a mean over examples.

    Args:
        teacher: a BERT classifier; left as it was.
        encoded: training examples, of which `EXAMPLES` are drawn.
        criteria: that need "gradients" or "answers".
        is_regression: whether labels are scores; where there are none, the teacher's own answers stand for them.
        seed: of the draw.

    Returns:
        Criterion name -> site -> float32, ``(units,)`` for `hidden`, (layers, ...) for the others.
    """
    shape = bert_shape(teacher)
    modules: dict[str, tuple[Need, Any]] = {
        criterion.name: (criterion.needs, criterion.load()) for criterion in criteria
    }
    wanted: list[Need] = [kind for kind in KINDS if kind in {need for need, _ in modules.values()}]
    sums: dict[str, dict[Site, Any]] = {name: {} for name in modules}
    count = 0
    for size, found in example_gradients(teacher, encoded, wanted, is_regression=is_regression, seed=seed):
        count += size
        for name, (need, module) in modules.items():
            for (site, layer), gradient in found[need].items():
                own = module.contribution(gradient, site, shape)
                if own is None:
                    continue
                if site not in sums[name]:
                    sums[name][site] = np.zeros(own.shape if layer is None else (shape.layers, *own.shape))
                sums[name][site][... if layer is None else layer] += own
    return {
        name: {site: (sites[site] / max(1, count)).astype(np.float32) for site in Site if site in sites}
        for name, sites in sums.items()
    }


def drawn(encoded: Encoded, seed: int) -> np.ndarray:
    """Numbers of the examples that criteria are computed on, in the order that they were drawn."""
    return np.random.default_rng(seed).permutation(len(encoded))[:EXAMPLES]


def batches(index: np.ndarray, encoded: Encoded, shape: BertShape) -> Iterator[np.ndarray]:
    """Examples in their order, at most `BATCH` at once, and fewer where a backward pass would hold too much.

    Args:
        index: numbers of examples, by rising length.
        encoded: the examples.
        shape: of the network that reads them.
    """
    numbers_a_token = shape.layers * (HELD_HIDDEN * shape.hidden + HELD_FFN * shape.ffn)
    start = 0
    while start < len(index):
        rows = index[start : start + BATCH]
        fits = HELD // (numbers_a_token * np.maximum(encoded.lengths[rows], 1))
        rows = rows[: max(1, int(np.count_nonzero(np.arange(1, len(rows) + 1) <= fits)))]
        yield rows
        start += len(rows)


def example_gradients(
    teacher: Any, encoded: Encoded, wanted: Sequence[Need], *, is_regression: bool, seed: int
) -> Iterator[tuple[int, dict[Need, dict[Place, np.ndarray]]]]:
    """Batch by batch: how many examples, and by what is wanted the (batch, units) of every gate by site and layer.

    Args:
        teacher: a BERT classifier; left as it was.
        encoded: training examples, of which `EXAMPLES` are drawn.
        wanted: some of `KINDS`.
        is_regression: whether labels are scores.
        seed: of the draw.
    """
    index = drawn(encoded, seed)
    index = index[np.argsort(encoded.lengths[index], kind="stable")]
    make_batch = collate(encoded, few_lengths=True)
    device = next(teacher.parameters()).device
    with frozen(teacher):
        for rows in batches(index, encoded, bert_shape(teacher)):
            batch = make_batch(rows.tolist())
            gates: dict[Place, _ExampleGate] = {}
            handles = hook_gates(
                teacher, lambda site, layer, gates=gates: gates.setdefault((site, layer), _ExampleGate())
            )
            try:
                logits = teacher(**{name: batch[name].to(device) for name in INPUTS}).logits
                found: dict[Need, dict[Place, np.ndarray]] = {}
                for need in wanted:
                    # Sums over examples, so that each example's gradient is its own.
                    if need == "answers":
                        value = certainty(logits, is_regression).sum()
                    else:
                        labels = batch.get("labels", _own_answers(logits, is_regression)).to(device)
                        value = task_loss(logits, labels, is_regression) * len(logits)
                    value.backward(retain_graph=len(found) + 1 < len(wanted))
                    found[need] = {place: gate.take() for place, gate in gates.items()}
            finally:
                for handle in handles:
                    handle.remove()
            yield len(logits), found


def _own_answers(logits: torch.Tensor, is_regression: bool) -> torch.Tensor:
    """Labels of examples that have none: the most probable ones.

    A score beside which the squared error has the score's own gradient, where the score itself would leave none.
    """
    return logits.detach().squeeze(-1) - 0.5 if is_regression else logits.detach().argmax(-1)


@contextmanager
def frozen(model: Any) -> Iterator[None]:
    """No gradients of the network's own weights inside."""
    required = [parameter.requires_grad for parameter in model.parameters()]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, was_required in zip(model.parameters(), required, strict=True):
            parameter.requires_grad_(was_required)
