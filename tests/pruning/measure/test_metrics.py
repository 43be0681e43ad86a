"""Metrics against scikit-learn and scipy, floors, retention, the paired bootstrap."""

import math

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from pruning.data.tasks import TASKS, Task
from pruning.errors import DataError
from pruning.measure.intervals import paired_bootstrap, retention, retention_above_floor
from pruning.measure.metrics import correct, floor, metrics

MANY = Task("many", "Many", "", ("text",), "label", tuple("abcdef"), ("mcc", "accuracy"))


def answers(task: Task, count: int, seed: int, skill: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that know something of them."""
    labels_generator, generator = np.random.default_rng(99), np.random.default_rng(seed)
    if task.is_regression:
        labels = labels_generator.uniform(0, 5, count).round(1).astype(np.float32)
        return labels, (skill * labels + generator.normal(size=count)).astype(np.float32)[:, None]
    labels = labels_generator.choice(
        task.num_labels, count, p=np.r_[0.6, np.full(task.num_labels - 1, 0.4 / (task.num_labels - 1))]
    )
    logits = generator.normal(size=(count, task.num_labels))
    logits[np.arange(count), labels] += skill
    return labels, logits.astype(np.float32)


@pytest.mark.parametrize("task", [*TASKS.values(), MANY], ids=lambda task: task.name)
def test_metrics_are_those_of_scikit_learn_and_scipy(task: Task) -> None:
    labels, logits = answers(task, 500, seed=1)
    predicted = logits[:, 0].astype(np.float64) if task.is_regression else logits.argmax(1)
    oracle = {
        "accuracy": lambda: accuracy_score(labels, predicted),
        "f1": lambda: f1_score(labels, predicted),
        "mcc": lambda: matthews_corrcoef(labels, predicted),
        "pearson": lambda: pearsonr(predicted, labels.astype(np.float64)).statistic,
        "spearman": lambda: spearmanr(predicted, labels).statistic,
    }
    found = metrics(task, logits, labels)
    assert list(found) == list(task.metrics)
    if task.is_regression:  # scores may come flat
        assert metrics(task, logits[:, 0], labels) == found
    for name, value in found.items():
        assert type(value) is float
        assert value == pytest.approx(oracle[name](), abs=1e-12)


def test_correct_counts_right_answers() -> None:
    labels, logits = answers(TASKS["mnli"], 100, seed=2)
    assert correct(TASKS["mnli"], logits, labels) == accuracy_score(labels, logits.argmax(1), normalize=False)
    assert correct(TASKS["stsb"], *answers(TASKS["stsb"], 10, 0)[::-1]) is None


@pytest.mark.parametrize("scores", [np.zeros(9), np.full(9, 2.7182817, np.float32), 3 + np.arange(9) * 1e-7])
def test_constant_scores_correlate_with_nothing(scores: np.ndarray) -> None:
    assert metrics(TASKS["stsb"], scores, np.linspace(0, 5, 9)) == {"pearson": 0.0, "spearman": 0.0}
    assert metrics(TASKS["stsb"], np.linspace(0, 5, 9), scores) == {"pearson": 0.0, "spearman": 0.0}


def test_one_class_has_no_mcc_and_no_f1() -> None:
    logits = np.tile([1.0, 0.0], (6, 1))
    assert metrics(TASKS["cola"], logits, np.array([0, 0, 0, 1, 1, 1])) == {"mcc": 0.0, "accuracy": 0.5}
    assert metrics(TASKS["cola"], logits, np.zeros(6, int)) == {"mcc": 0.0, "accuracy": 1.0}
    assert metrics(TASKS["mrpc"], logits, np.zeros(6, int)) == {"accuracy": 1.0, "f1": 0.0}


def test_floor_is_the_majority_class() -> None:
    labels = np.array([1] * 68 + [0] * 32)
    assert floor(TASKS["mrpc"], labels) == {"accuracy": 0.68, "f1": pytest.approx(f1_score(labels, np.ones(100)))}
    assert floor(TASKS["mrpc"], 1 - labels) == {"accuracy": 0.68, "f1": 0.0}
    assert floor(TASKS["cola"], labels) == {"mcc": 0.0, "accuracy": 0.68}
    assert floor(TASKS["mnli"], np.array([2, 2, 0, 1])) == {"accuracy": 0.5}
    assert floor(TASKS["stsb"], np.linspace(0, 5, 4)) == {"pearson": 0.0, "spearman": 0.0}


def test_retention() -> None:
    assert retention(0.78, 0.80) == pytest.approx(0.975)
    assert retention(0.1, 0.0) is None
    assert retention_above_floor(0.78, 0.80, 0.68) == pytest.approx(10 / 12)
    assert retention_above_floor(0.60, 0.80, 0.68) == pytest.approx(-8 / 12)
    assert retention_above_floor(0.7, 0.68, 0.68) is None
    # A teacher next to nothing: a ratio to it says nothing, and no study could store it.
    assert retention(0.1, 1e-12) is None
    assert retention_above_floor(0.7, 0.68 + 1e-15, 0.68) is None


def test_no_metric_is_above_1_by_rounding() -> None:
    for seed in range(50):
        labels = np.random.default_rng(seed).uniform(0, 5, 7)
        assert all(-1 <= value <= 1 for value in metrics(TASKS["stsb"], labels, labels).values())
        assert all(-1 <= value <= 1 for value in metrics(TASKS["stsb"], -labels, labels).values())


@pytest.mark.parametrize(
    ("task", "logits", "labels"),
    [
        (TASKS["sst2"], np.zeros((3, 3)), np.zeros(3, int)),
        (TASKS["sst2"], np.zeros(3), np.zeros(3, int)),
        (TASKS["stsb"], np.zeros((3, 2)), np.zeros(3)),
        (TASKS["sst2"], np.zeros((3, 2)), np.zeros(4, int)),
        (TASKS["sst2"], np.zeros((0, 2)), np.zeros(0, int)),
        (TASKS["sst2"], np.array([[0.0, math.nan]]), np.zeros(1, int)),
    ],
)
def test_what_does_not_fit_is_refused(task: Task, logits: np.ndarray, labels: np.ndarray) -> None:
    with pytest.raises(DataError, match=f"{task.name}: .*expected"):
        metrics(task, logits, labels)


SPEARMAN_FIRST = Task("ranks", "Ranks", "", ("text",), "score", None, ("spearman",))
F1_FIRST = Task("f1", "F1", "", ("text",), "label", ("a", "b"), ("f1",))


@pytest.mark.parametrize(
    "task",
    [TASKS["sst2"], TASKS["mnli"], TASKS["cola"], MANY, F1_FIRST, TASKS["stsb"], SPEARMAN_FIRST],
    ids=lambda task: f"{task.main_metric}-{task.num_labels}",
)
def test_interval_is_that_of_a_plain_bootstrap(task: Task) -> None:
    """Against the textbook's loop: draw rows, compute the metric of both, take percentiles of the differences."""
    labels, first = answers(task, 150, seed=4, skill=0.7)
    _, second = answers(task, 150, seed=5, skill=1.5)
    interval = paired_bootstrap(task, first, second, labels, resamples=4000)
    generator = np.random.default_rng(7)
    plain = []
    for _ in range(800):
        rows = generator.integers(len(labels), size=len(labels))
        one, other = (metrics(task, logits[rows], labels[rows])[task.main_metric] for logits in (first, second))
        plain.append(one - other)
    low, high = np.percentile(plain, [2.5, 97.5])
    width = high - low
    assert interval.metric == task.main_metric
    assert interval.resamples == 4000
    whole = [metrics(task, logits, labels)[task.main_metric] for logits in (first, second)]
    assert interval.difference == pytest.approx(whole[0] - whole[1])
    assert interval.low == pytest.approx(low, abs=0.1 * width)  # percentiles of 800 draws are this uncertain
    assert interval.high == pytest.approx(high, abs=0.1 * width)


@pytest.mark.parametrize("name", ["sst2", "cola", "stsb"])
def test_bootstrap_is_reproducible_paired_and_antisymmetric(name: str) -> None:
    task = TASKS[name]
    labels, first = answers(task, 200, seed=6)
    _, second = answers(task, 200, seed=7)
    assert paired_bootstrap(task, first, second, labels, 300) == paired_bootstrap(task, first, second, labels, 300)
    assert paired_bootstrap(task, first, second, labels, 300) != paired_bootstrap(task, first, second, labels, 300, 1)
    same = paired_bootstrap(task, first, first, labels, 300)  # paired: the same answers never differ
    assert (same.difference, same.low, same.high) == (0.0, 0.0, 0.0)
    if name == "stsb":
        forward, back = (paired_bootstrap(task, *pair, labels, 300) for pair in ((first, second), (second, first)))
        assert (back.low, back.high) == pytest.approx((-forward.high, -forward.low))


def test_blocks_do_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, first = answers(TASKS["stsb"], 120, seed=8)
    _, second = answers(TASKS["stsb"], 120, seed=9)
    whole = paired_bootstrap(TASKS["stsb"], first, second, labels, 500)
    monkeypatch.setattr("pruning.measure.intervals.BLOCK_CELLS", 7 * 120)
    assert paired_bootstrap(TASKS["stsb"], first, second, labels, 500) == whole


def test_constant_network_has_an_interval_too() -> None:
    labels, first = answers(TASKS["stsb"], 60, seed=1)
    interval = paired_bootstrap(TASKS["stsb"], np.zeros(60), first, labels, 100)
    assert interval.low < interval.difference < interval.high < 0
    one = paired_bootstrap(TASKS["stsb"], np.ones(1), np.ones(1), np.ones(1), 10)
    assert (one.difference, one.low, one.high) == (0.0, 0.0, 0.0)
