"""Losses: a task's own, the distance to a teacher's answers and to its hidden states."""

from __future__ import annotations

import torch
from torch.nn import functional


def task_loss(logits: torch.Tensor, labels: torch.Tensor, is_regression: bool) -> torch.Tensor:
    """Cross entropy, or mean squared error of the single score; examples without a label (-1, NaN) do not count."""
    known = labels.isfinite() if is_regression else labels >= 0
    if not bool(known.all()):
        logits, labels = logits[known], labels[known]
    if not len(labels):
        return logits.sum()  # of nothing: 0, with a gradient
    if is_regression:
        return functional.mse_loss(logits.squeeze(-1), labels.float())
    return functional.cross_entropy(logits, labels)


def logits_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float, is_regression: bool) -> torch.Tensor:
    """Distance to the teacher's answer: T^2-scaled KL divergence of softened labels (Hinton et al. 2015), or MSE."""
    if is_regression:
        return functional.mse_loss(student, teacher)
    target = functional.softmax(teacher / temperature, dim=-1)
    answer = functional.log_softmax(student / temperature, dim=-1)
    return functional.kl_div(answer, target, reduction="batchmean") * temperature**2


def hidden_loss(
    student: tuple[torch.Tensor, ...], teacher: torch.Tensor, weights: torch.Tensor, variance: torch.Tensor
) -> torch.Tensor:
    """Mean squared distance of hidden states over real tokens, each layer divided by its variance; mean of layers.

    Args:
        student: layers + 1 tensors (batch, tokens, hidden).
        teacher: (layers + 1, batch, tokens, hidden).
        weights: (batch, tokens), 1 where a token counts.
        variance: (layers + 1,).
    """
    total = torch.zeros((), device=teacher.device)
    counted = weights.sum().clamp(min=1.0) * teacher.shape[-1]
    for layer, state in enumerate(student):
        distance = (state - teacher[layer]).square().sum(-1)
        total = total + (distance * weights).sum() / counted / variance[layer]
    return total / len(student)


def certainty(logits: torch.Tensor, is_regression: bool) -> torch.Tensor:
    """How sure each answer is, ``(examples,)``: log-odds of the most probable label, or the score itself."""
    if is_regression:
        return logits.squeeze(-1)
    ranked = logits.sort(-1, descending=True).values
    return ranked[..., 0] - ranked[..., 1:].logsumexp(-1)
