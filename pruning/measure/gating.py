"""Heads gated off in the order of each criterion, and what the network scores then: see `ablation`.

A head that is off is cut (the law of `compress.without_heads`: that is the same network), so what is off costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tasks import Task
from pruning.importance.factors import ImportanceFactors
from pruning.measure.ablation import Ablated, Ablation, Curves, counts, order_of
from pruning.measure.logits import encoded_logits
from pruning.measure.metrics import floor, metrics
from pruning.measure.network import Network

CHOICE_ROWS = 200  # of the training rows: enough to tell criteria apart, in a minute or two
RANDOM_ORDERS = 5
CONTROL = "random"  # the criterion that the random orders stand for


@dataclass(frozen=True)
class Ground:
    """What curves are measured on.

    Attributes:
        task: whose first metric is counted.
        split: the examples' name.
        examples: labelled.
        seed: that they were drawn with, and that random orders are.
        random_orders: how many.
        precision: "bfloat16" computes under autocast.
    """

    task: Task
    split: str
    examples: Examples
    seed: int = 0
    random_orders: int = RANDOM_ORDERS
    precision: Literal["float32", "bfloat16"] = "float32"


def drawn_apart(examples: Examples, rows: int, seed: int = 0) -> Examples:
    """At most so many of the examples; the last ones of a permutation, whose first ones gradients are taken on."""
    if len(examples) <= rows:
        return examples
    return examples.take(np.random.default_rng(seed).permutation(len(examples))[-rows:])


def head_importance(factors: ImportanceFactors) -> dict[str, np.ndarray]:
    """(layers, heads) of every stored criterion that says something about heads, but for the random control."""
    return {name: factors.heads(name) for name in factors.head_criteria if name != CONTROL}


def ablate(
    network: Network,
    which: Ablated,
    heads: Mapping[str, np.ndarray],
    ground: Ground,
    progress: Callable[[int, int], None] | None = None,
) -> Ablation:
    """Measure all curves of a network; equal sets of heads, whatever order led there, are measured once.

    Args:
        network: a `BertForSequenceClassification`, with slim layers or without.
        which: of the study's two it is.
        heads: criterion -> (layers, heads) importance.
        ground: examples and random orders.
        progress: called with (sets of heads measured, all).
    """
    total = next(iter(heads.values())).size
    gated = counts(total)
    generator = np.random.default_rng(ground.seed)
    orders = {(name, "least_first"): order_of(values) for name, values in heads.items()}
    orders |= {(name, "most_first"): order[::-1] for (name, _), order in orders.items()}
    orders |= {(CONTROL, str(number)): generator.permutation(total) for number in range(ground.random_orders)}
    sets = {place: [frozenset(order[:count].tolist()) for count in gated] for place, order in orders.items()}
    wanted = sorted({off for along in sets.values() for off in along}, key=sorted)
    score = _scorer(network, ground)
    scores: dict[frozenset[int], float] = {}
    for off in wanted:
        scores[off] = score(off)
        if progress is not None:
            progress(len(scores), len(wanted))
    points = {place: tuple(scores[off] for off in along) for place, along in sets.items()}
    metric = ground.task.main_metric
    return Ablation(
        network=which,
        split=ground.split,
        rows=len(ground.examples),
        sha256=ground.examples.sha256,
        seed=ground.seed,
        precision=ground.precision,
        metric=metric,
        floor=floor(ground.task, ground.examples.labels)[metric],
        gated=gated,
        curves={
            name: Curves(least_first=points[name, "least_first"], most_first=points[name, "most_first"])
            for name in heads
        },
        random=tuple(points[CONTROL, str(number)] for number in range(ground.random_orders)),
    )


def _scorer(network: Network, ground: Ground) -> Callable[[frozenset[int]], float]:
    """A function from the heads that are off (numbered layer by layer) to the main metric."""
    import torch

    from pruning.bert.gates import read_factors
    from pruning.bert.model import bert_shape, read_weights
    from pruning.bert.slim_layer import slim_layers
    from pruning.compress.shrink import fold_factors
    from pruning.compress.without_heads import without_heads
    from pruning.slimbert import from_bert

    weights = read_weights(network.model)
    if slim_layers(network.model):
        weights = fold_factors(weights, read_factors(network.model))
    whole = from_bert(network.model, weights)
    heads = bert_shape(network.model).heads
    encoded = network.encode(ground.examples)
    kind = torch.device(network.device).type

    def score(off: frozenset[int]) -> float:
        model = without_heads(whole, [divmod(number, heads) for number in off])
        with torch.autocast(kind, torch.bfloat16, enabled=ground.precision == "bfloat16"):
            logits = encoded_logits(model, encoded, device=network.device, few_lengths=True)
        return metrics(ground.task, logits, ground.examples.labels)[ground.task.main_metric]

    return score
