"""Heads gated off in the order of criteria: points against masked networks, and what follows from curves by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pruning.bert.gates import attach, masked_copy
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.slim_layer import slim_layers
from pruning.data.examples import Examples
from pruning.data.tasks import custom_task
from pruning.measure import gating
from pruning.measure.ablation import Ablation, Curves, counts, order_of, truest
from pruning.measure.gating import Ground, ablate, drawn_apart
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import floor, metrics
from pruning.measure.network import Network

HEADS = {
    "first": np.array([[0.4, 0.1], [0.3, 0.2]], dtype=np.float32),
    "turned": np.array([[0.1, 0.4], [0.2, 0.3]], dtype=np.float32),
}


def curves(least_first: tuple[float, ...], most_first: tuple[float, ...]) -> Curves:
    return Curves(least_first=least_first, most_first=most_first)


def made(**changes: Any) -> Ablation:
    values: dict[str, Any] = {
        "network": "teacher",
        "split": "validation",
        "rows": 10,
        "sha256": "0" * 64,
        "seed": 0,
        "precision": "float32",
        "metric": "accuracy",
        "floor": 0.5,
        "gated": (0, 1, 2, 3, 4),
        "curves": {
            "poor": curves((0.9, 0.7, 0.6, 0.5, 0.4), (0.9, 0.8, 0.7, 0.6, 0.4)),
            "good": curves((0.9, 0.9, 0.8, 0.7, 0.4), (0.9, 0.6, 0.5, 0.4, 0.4)),
            "as good": curves((0.9, 0.9, 0.8, 0.7, 0.4), (0.9, 0.6, 0.5, 0.4, 0.4)),
        },
        "random": ((0.9, 0.8, 0.7, 0.5, 0.4), (0.9, 0.9, 0.7, 0.6, 0.4)),
    }
    values["curves"] = {name.replace(" ", "_"): both for name, both in values["curves"].items()}
    return Ablation(**(values | changes))


def test_what_follows_from_curves_by_hand() -> None:
    one = made()
    assert one.whole == 0.9
    # What lies below the floor of 0.5 counts as 0.5.
    assert one.areas == pytest.approx({"good": 0.8 / 5, "as_good": 0.8 / 5, "poor": -0.3 / 5})
    assert one.best == "good"
    assert one.kept("good") == pytest.approx(3.7 / 5 / 0.9)
    assert one.kept_at_random == pytest.approx((3.3 / 5 / 0.9, 3.5 / 5 / 0.9))
    assert one.kept_at_half("good") == pytest.approx(0.75)
    assert one.kept_at_half("poor") == pytest.approx(0.25)
    assert one.kept_at_half_at_random == pytest.approx((0.5, 0.5))
    assert one.better_than("poor") == ["good", "as_good"]
    assert one.better_than("good") == []
    assert (one.beats_chance("good"), one.beats_chance("poor")) == (True, False)
    assert made(random=()).beats_chance("good") is None


def test_a_small_difference_between_areas_is_none() -> None:
    near = {"one": curves((0.9, 0.5, 0.4), (0.9, 0.5, 0.4)), "other": curves((0.9, 0.55, 0.4), (0.9, 0.5, 0.4))}
    one = made(curves=near, gated=(0, 1, 2), random=())
    assert one.best == "other"
    assert one.better_than("one") == []  # 0.05 / 3 is less than 2% of 0.9
    wider = made(curves=near | {"third": curves((0.9, 0.56, 0.4), (0.9, 0.5, 0.4))}, gated=(0, 1, 2), random=())
    assert wider.better_than("one") == ["third"]


def test_the_truest_is_chosen_on_training_rows_of_the_teacher_alone() -> None:
    other = {"poor": curves((0.9, 0.9, 0.4), (0.9, 0.4, 0.4)), "good": curves((0.9, 0.4, 0.4), (0.9, 0.9, 0.4))}
    turned = {"curves": other, "gated": (0, 1, 2), "random": ()}
    assert truest((made(), made(network="slimmed", split="train", **turned))) is None
    assert truest((made(), made(split="train", **turned))) == "poor"


def test_counts_of_heads() -> None:
    assert counts(72) == tuple(range(0, 73, 6))
    assert counts(144) == tuple(range(0, 145, 12))
    assert counts(4) == (0, 1, 2, 3, 4)
    assert order_of(np.array([[3.0, 1.0], [1.0, 2.0]])).tolist() == [1, 2, 3, 0]


def test_rows_are_drawn_apart_from_those_that_gradients_were_taken_on(tiny_examples: Examples) -> None:
    order = np.random.default_rng(3).permutation(22)
    assert drawn_apart(tiny_examples, 5, seed=3).texts == tiny_examples.take(order[-5:]).texts
    assert drawn_apart(tiny_examples, 22, seed=3) is tiny_examples


@pytest.mark.parametrize("which", ["teacher", "slimmed"])
def test_points_are_those_of_networks_with_these_heads_masked(
    which: Any, make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_pairs: Examples, tiny_shape: BertShape
) -> None:
    """Of scores, where every head shows."""
    model = make_bert(num_labels=1)
    if which == "slimmed":  # with factors far from 1, so that leaving them out would show
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for layer in slim_layers(attach(model)):
                layer.alpha.copy_(torch.rand(layer.alpha.shape, generator=generator) + 0.5)
    task = custom_task("own", ("a", "b"), None)
    ground = Ground(task, "validation", tiny_pairs, seed=4, random_orders=2)
    found = ablate(Network(model, tiny_tokenizer, 16), which, HEADS, ground)
    metric = task.main_metric

    def scores(order: list[int]) -> Any:
        points = []
        for count in range(5):
            on = np.ones(4, dtype=bool)
            on[order[:count]] = False
            context = np.repeat(on, 4).reshape(tiny_shape.units(Site.ATTENTION_CONTEXT))
            masked = masked_copy(model, Masks.full(tiny_shape).with_site(Site.ATTENTION_CONTEXT, context))
            logits = predict_logits(Network(masked, tiny_tokenizer, 16), tiny_pairs)
            points.append(metrics(task, logits, tiny_pairs.labels)[metric])
        return pytest.approx(points, abs=1e-4)

    least = [1, 3, 2, 0]
    assert found.gated == (0, 1, 2, 3, 4)
    assert found.curves["first"].least_first == scores(least)
    assert found.curves["first"].most_first == scores(least[::-1])
    assert found.curves["turned"].least_first == scores([0, 2, 3, 1])
    assert len({round(point, 3) for point in found.curves["first"].least_first}) == 5
    generator = np.random.default_rng(4)
    assert len(found.random) == 2
    for points in found.random:
        assert points == scores(generator.permutation(4).tolist())
    assert (found.network, found.split, found.rows, found.metric) == (which, "validation", 10, metric)
    assert found.floor == floor(task, tiny_pairs.labels)[metric]
    assert found.sha256 == tiny_pairs.sha256


def test_equal_sets_of_heads_are_measured_once(
    tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[frozenset[int]] = []
    scorer: Callable[..., Any] = lambda network, ground: lambda off: asked.append(off) or 0.5  # noqa: E731
    monkeypatch.setattr(gating, "_scorer", scorer)
    task, told = custom_task("own", ("text",), ("no", "yes")), []
    network = Network(tiny_bert, tiny_tokenizer, 16)
    ablate(network, "teacher", HEADS, Ground(task, "train", tiny_examples), lambda *done: told.append(done))
    assert len(asked) == len(set(asked)) == len(told) <= 16
    assert {len(off) for off in asked} == {0, 1, 2, 3, 4}
    assert told[-1] == (len(asked), len(asked))
