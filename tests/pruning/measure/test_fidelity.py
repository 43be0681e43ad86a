"""How closely a network follows its teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from pruning.data.tasks import get_task
from pruning.measure.fidelity import agreement, divergence


def test_divergence_is_torchs_kl_from_teacher_to_student() -> None:
    generator = np.random.default_rng(0)
    student, teacher = generator.normal(size=(2, 7, 3))
    expected = functional.kl_div(
        torch.log_softmax(torch.from_numpy(student), -1), torch.softmax(torch.from_numpy(teacher), -1), reduction="none"
    ).sum(-1)
    assert divergence(get_task("mnli"), student, teacher) == pytest.approx(expected.numpy())
    assert divergence(get_task("mnli"), teacher + 5, teacher) == pytest.approx(0, abs=1e-12)
    assert agreement(get_task("mnli"), student, teacher) == np.mean(student.argmax(-1) == teacher.argmax(-1))


def test_scores_are_compared_by_their_squares() -> None:
    student, teacher = np.array([[1.0], [2.0]]), np.array([[1.5], [0.0]])
    assert divergence(get_task("stsb"), student, teacher).tolist() == [0.25, 4.0]
    assert agreement(get_task("stsb"), student, teacher) is None
