"""Losses of a task."""

from __future__ import annotations

import torch

from pruning.losses import task_loss


def test_examples_without_a_label_do_not_count_in_the_loss() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, -5.0]], requires_grad=True)
    whole = task_loss(logits[:2], torch.tensor([0, 1]), is_regression=False)
    marked = task_loss(logits, torch.tensor([0, 1, -1]), is_regression=False)
    assert torch.equal(whole, marked)
    scores = torch.tensor([[1.0], [2.0]], requires_grad=True)
    assert task_loss(scores, torch.tensor([3.0, float("nan")]), is_regression=True).item() == 4.0
    nothing = task_loss(logits, torch.tensor([-1, -1, -1]), is_regression=False)
    nothing.backward()
    assert nothing.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))
