from __future__ import annotations

import inspect

import pytest

from slimviz.frames.history import curve_frame, measure_title, stage_title, trained_stages
from slimviz.pages.study import ALIVE

HISTORY = [
    {"stage": "teacher", "step": 10, "epoch": 0.5, "loss": 0.7, "learning_rate": 1e-3},
    {"stage": "cache", "seconds": None},
    {"stage": "notes", "step": None, "loss": 1.0},
    {"stage": "slim", "step": 20, "luck": 3, "alive": 0.5, "loss": 2.0, "is_done": True, "word": "x"},
    {"stage": "slim", "step": 10, "alive": 1.0, "loss": 4.0, "penalty": None},
    {"stage": "slim", "step": 20, "epoch": 1.0, "accuracy": 0.9},
]


@pytest.mark.parametrize(
    ("stage", "title"),
    [
        ("teacher", "Teacher's training"),
        ("recover-10", "Recovery at 10%"),
        ("recover-flops-25-seed1", "Recovery at 25% of FLOPs, seed 1"),
        ("least-squares-2.5", "Least squares at 2.5%"),
        ("something-else", "something else"),
    ],
)
def test_stages_as_printed(stage: str, title: str) -> None:
    assert stage_title(stage) == title


def test_only_stages_with_numbers_at_steps_can_be_drawn() -> None:
    assert trained_stages(HISTORY) == ["teacher", "slim"]


def test_a_curve_has_every_number_that_was_reported_in_the_order_of_its_steps() -> None:
    rows = curve_frame(HISTORY, "slim")[["measure", "step", "value"]].to_numpy().tolist()
    assert rows == [
        ["loss", 10, 4.0],
        ["loss", 20, 2.0],
        ["alive", 10, 1.0],
        ["alive", 20, 0.5],
        ["accuracy", 20, 0.9],
        ["luck", 20, 3.0],
    ]
    assert measure_title("luck_of_it") == "luck of it"


def test_alive_means_what_training_counts() -> None:
    from pruning.bert.slim_layer import surviving_share

    assert inspect.signature(surviving_share).parameters["threshold"].default == ALIVE
