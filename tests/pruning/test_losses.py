"""Losses by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pruning.losses import certainty, hidden_loss, logits_loss, task_loss


def test_task_loss_by_hand() -> None:
    logits, labels = torch.tensor([[1.0, 3.0], [0.0, 0.0]]), torch.tensor([0, 1])
    expected = (math.log(1 + math.exp(2)) + math.log(2)) / 2
    assert task_loss(logits, labels, False).item() == pytest.approx(expected)
    scores, targets = torch.tensor([[1.0], [4.0]]), torch.tensor([2.0, 2.5])
    assert task_loss(scores, targets, True).item() == pytest.approx((1 + 1.5**2) / 2)


def test_examples_without_a_label_do_not_count() -> None:
    logits = torch.tensor([[1.0, 3.0], [0.0, 0.0]], requires_grad=True)
    one = task_loss(logits, torch.tensor([0, -1]), False)
    assert one.item() == pytest.approx(math.log(1 + math.exp(2)))
    scores = torch.tensor([[1.0], [4.0]], requires_grad=True)
    assert task_loss(scores, torch.tensor([2.0, math.nan]), True).item() == 1
    for nothing in (
        task_loss(logits, torch.tensor([-1, -1]), False),
        task_loss(scores, torch.tensor([math.nan, math.nan]), True),
    ):
        assert nothing.item() == 0
        nothing.backward()
    assert torch.equal(logits.grad, torch.zeros(2, 2))  # type: ignore[arg-type]


def test_logits_loss_by_hand() -> None:
    student, teacher = np.array([[1.0, -1.0, 0.5], [0.0, 2.0, 1.0]]), np.array([[2.0, 0.0, 1.0], [1.0, -1.0, 3.0]])
    temperature, expected = 2.0, 0.0
    for own, target in zip(student, teacher, strict=True):
        p = np.exp(target / temperature) / np.exp(target / temperature).sum()
        q = np.exp(own / temperature) / np.exp(own / temperature).sum()
        expected += temperature**2 * (p * np.log(p / q)).sum() / 2
    found = logits_loss(torch.tensor(student), torch.tensor(teacher), temperature, False)
    assert found.item() == pytest.approx(expected)
    assert logits_loss(torch.tensor(teacher), torch.tensor(teacher), temperature, False).item() == pytest.approx(0)
    scores, targets = torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0], [2.5]])
    assert logits_loss(scores, targets, temperature, True).item() == pytest.approx((4 + 0.25) / 2)


def test_hidden_loss_by_hand() -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(3, 2, 4, 5)), generator.normal(size=(3, 2, 4, 5))
    weights = np.array([[1.0, 1, 1, 0], [1, 0, 0, 0]])
    variance = np.array([0.5, 1.0, 2.0])
    expected = 0.0
    for layer in range(3):
        distances = [((student - teacher)[layer, b, t] ** 2).mean() for b, t in np.argwhere(weights)]
        expected += np.mean(distances) / variance[layer] / 3
    tensors = [torch.from_numpy(array) for array in (teacher, weights, variance)]
    found = hidden_loss(tuple(torch.from_numpy(student)), *tensors)
    assert found.item() == pytest.approx(expected)
    nothing = hidden_loss(tuple(torch.from_numpy(student)), tensors[0], torch.zeros(2, 4), tensors[2])
    assert nothing.item() == 0


def test_certainty_is_the_log_odds_of_the_answer() -> None:
    logits = torch.tensor([[1.0, -0.5], [0.2, 0.2], [-3.0, 4.0]], dtype=torch.float64)
    shares = torch.softmax(logits, -1).max(-1).values
    torch.testing.assert_close(certainty(logits, False), torch.logit(shares))
    three = torch.tensor([[0.1, 2.0, -1.0]])
    torch.testing.assert_close(certainty(three, False), torch.logit(torch.softmax(three, -1)[:, 1]))
    assert certainty(torch.tensor([[1.5], [-2.0]]), True).tolist() == [1.5, -2.0]
