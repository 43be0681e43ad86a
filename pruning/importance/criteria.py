"""Criteria -> importance factors: alpha from slimming, first-order Taylor and head gradients from the teacher."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pruning.bert.model import bert_shape, hook_gates, read_factors
from pruning.bert.shapes import BertShape, Site
from pruning.data.batches import Encoded, collate
from pruning.importance.factors import ImportanceFactors, TablePieces, piece_mass
from pruning.losses import task_loss

GRADIENT_EXAMPLES = 512  # enough for ranks that hardly move; a minute on two cores
GRADIENT_BATCH = 32


class _ExampleGate:
    """A gate of ones with an axis per example, so that one backward pass gives every example's own gradient."""

    def __init__(self) -> None:
        self.gates: list[torch.Tensor] = []

    def __call__(self, activations: torch.Tensor) -> torch.Tensor:
        gate = torch.ones(activations.shape[0], 1, activations.shape[-1], requires_grad=True, device=activations.device)
        self.gates.append(gate)
        return activations * gate

    def gradient(self) -> np.ndarray:
        """Gradient of the loss by the gate, summed over the places it was used at: (batch, units)."""
        grads = [gate.grad for gate in self.gates if gate.grad is not None]
        return torch.stack(grads).sum(0).squeeze(1).cpu().numpy()


def gradient_importance(teacher: Any, encoded: Encoded, *, is_regression: bool, seed: int) -> dict[str, Any]:
    """Taylor importance of every unit and gradient importance of every head, on training examples.

    A gate of 1 on each unit's activation: ``|dL/dgate|`` is the first-order change of the loss when the unit goes
    (Molchanov et al. 2017), averaged over examples. For a head the gate is shared by its units (Michel et al. 2019,
    "Are sixteen heads really better than one?").

    Returns:
        "taylor": site -> float32 as `BertShape.units`; "head_gradient": {attention_context: (layers, heads)}.
    """
    shape = bert_shape(teacher)
    generator = np.random.default_rng(seed)
    index = generator.permutation(len(encoded))[:GRADIENT_EXAMPLES]
    index = index[np.argsort(encoded.lengths[index], kind="stable")]
    make_batch = collate(encoded, few_lengths=True)
    taylor = {site: np.zeros(shape.units(site)) for site in Site}
    heads = np.zeros((shape.layers, shape.heads))
    requires = [p.requires_grad for p in teacher.parameters()]
    teacher.requires_grad_(False)
    for start in range(0, len(index), GRADIENT_BATCH):
        batch = make_batch(index[start : start + GRADIENT_BATCH].tolist())
        gates: dict[tuple[Site, int | None], _ExampleGate] = {}
        handles = hook_gates(teacher, lambda site, layer, gates=gates: gates.setdefault((site, layer), _ExampleGate()))
        try:
            inputs = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
            logits = teacher(**inputs).logits
            # Mean times count: the sum over examples, so that each example's gradient is its own.
            (task_loss(logits, batch["labels"], is_regression) * len(logits)).backward()
        finally:
            for handle in handles:
                handle.remove()
        for (site, layer), gate in gates.items():
            gradient = gate.gradient()
            place = taylor[site] if layer is None else taylor[site][layer]
            place += np.abs(gradient).sum(0)
            if site is Site.ATTENTION_CONTEXT:
                shared = gradient.reshape(len(gradient), shape.heads, shape.head_size).sum(-1)
                heads[layer] += np.abs(shared).sum(0)
    for parameter, required in zip(teacher.parameters(), requires, strict=True):
        parameter.requires_grad_(required)
    count = max(1, len(index))
    return {
        "taylor": {site: (values / count).astype(np.float32) for site, values in taylor.items()},
        "head_gradient": {Site.ATTENTION_CONTEXT: (heads / count).astype(np.float32)},
    }


def alpha_importance(model: Any) -> dict[Site, np.ndarray]:
    """|alpha| of a slimmed network, float32, per attached site."""
    return {site: values.abs().cpu().float().numpy() for site, values in read_factors(model).items()}


@torch.no_grad()
def pooler_importance(model: Any, encoded: Encoded, *, seed: int) -> np.ndarray:
    """How much each pooler unit moves the logits: its spread over examples times the spread of its output weights.

    Returns:
        (pooler,) float32.
    """
    generator = np.random.default_rng(seed)
    index = generator.permutation(len(encoded))[:GRADIENT_EXAMPLES]
    make_batch = collate(encoded, few_lengths=True)
    pooled: list[torch.Tensor] = []
    handle = model.classifier.register_forward_pre_hook(lambda module, args: pooled.append(args[0]))
    try:
        for start in range(0, len(index), GRADIENT_BATCH):
            batch = make_batch(np.sort(index[start : start + GRADIENT_BATCH]).tolist())
            model(**{name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")})
    finally:
        handle.remove()
    spread = torch.cat(pooled).std(0, unbiased=False)
    weight = model.classifier.weight
    # A softmax ignores what all labels share; a single score does not.
    weight = weight - weight.mean(0) if len(weight) > 1 else weight
    return (spread * weight.norm(dim=0)).cpu().float().numpy()


def table_pieces(
    counts: np.ndarray, protected: np.ndarray, unusable: np.ndarray, words: np.ndarray, general_share: float
) -> TablePieces:
    """What the word table's cut is decided on.

    Args:
        counts: (vocabulary,) occurrences in the training texts.
        protected: (vocabulary,) bool, pieces that always stay.
        unusable: (vocabulary,) bool, pieces no text produces.
        words: (vocabulary, hidden) word table, float32.
        general_share: see `SelectionSettings`.
    """
    marked = np.where(unusable & ~protected, -1, counts).astype(np.int32)
    mass = piece_mass(marked, protected, general_share)
    weighted = words.astype(np.float64) * np.sqrt(mass)[:, None]
    # Singular values from the Gram matrix: (hidden, hidden) whatever the vocabulary.
    eigenvalues = np.linalg.eigvalsh(weighted.T @ weighted)[::-1]
    return TablePieces(marked, protected.astype(bool), np.sqrt(np.clip(eigenvalues, 0, None)).astype(np.float32))


def assemble(
    shape: BertShape, alpha: dict[Site, np.ndarray], gradients: dict[str, Any], pieces: TablePieces, pooler: np.ndarray
) -> ImportanceFactors:
    """All criteria of a study side by side."""
    return ImportanceFactors(shape, {"alpha": alpha, **gradients}, pieces, pooler)
