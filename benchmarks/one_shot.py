"""Cut the stored teachers of studies without training, and say what that costs and what is left.

    python -m benchmarks.one_shot mrpc cola stsb sst2 --flops 0.53 0.26                 # on training rows held out
    python -m benchmarks.one_shot mrpc --density 0.5 0.25 0.1 --seeds 0 1 2
    python -m benchmarks.one_shot mrpc cola stsb sst2 --flops 0.53 0.26 --validation    # the final reading

Importance, selection, cut and least squares are those of `python -m pruning run --preset one-shot`, whose settings
`--set` changes. Everything is learned from training rows; 1,000 of them are held out to choose settings on, whatever
the seed. Prints one JSON line a study, budget and seed: how near the network is to its teacher ("agreement": of
classes, or Pearson's correlation with its scores; "distance": KL divergence, or mean squared difference), before least
squares and after, and seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any

import numpy as np

import pruning
from pruning.bert.model import bert_shape
from pruning.bert.vocabulary import cut_tokenizer
from pruning.compress import least_squares
from pruning.compress.cut import shrunk_network
from pruning.config import PRESETS, StudyConfig, parse_settings, with_settings
from pruning.data import Encoded, Task, default_source, encode, load_examples
from pruning.importance.gather import gather_factors
from pruning.measure.fidelity import agreement, divergence
from pruning.measure.gating import drawn_apart
from pruning.measure.logits import encoded_logits
from pruning.measure.metrics import metrics
from pruning.selection.budget import Budget
from pruning.selection.select import select
from pruning.study.networks import load_network

HELD_OUT, HELD_OUT_SEED = 1000, 12345


def main() -> None:
    parser = argparse.ArgumentParser(description="Cut stored teachers without training.")
    parser.add_argument("studies", nargs="+")
    parser.add_argument("--data", default=default_source())
    parser.add_argument(
        "--flops", type=float, nargs="*", default=[], help="ratios of FLOPs; the word table stays whole"
    )
    parser.add_argument("--density", type=float, nargs="*", default=[], help="total densities")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0], help="of the texts drawn")
    parser.add_argument("--validation", action="store_true", help="score on the validation split")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for python -m pruning run")
    options = parser.parse_args()
    config = with_settings(StudyConfig(), PRESETS["one-shot"] | parse_settings(options.set))
    budgets = [Budget("flop_ratio", ratio) for ratio in options.flops]
    budgets += [Budget("total_density", ratio) for ratio in options.density]
    for name in options.studies:
        for seed in options.seeds:
            for row in cut_teacher(name, config.replace(seed=seed), budgets, options.data, options.validation):
                print(json.dumps(row), flush=True)


def cut_teacher(
    name: str, config: StudyConfig, budgets: list[Budget], source: str, validation: bool
) -> Iterator[dict[str, Any]]:
    """One row a budget."""
    study = pruning.load_study(name)
    task, network = study.task, load_network(study, "teacher")
    config = with_settings(config, {"max_length": network.max_length})
    teacher, tokenizer = network.model, network.tokenizer
    train = load_examples(task, "train", source)
    order = np.random.default_rng(HELD_OUT_SEED).permutation(len(train))
    rest = train.take(np.sort(order[HELD_OUT:]))
    scored = load_examples(task, task.validation[0], source) if validation else train.take(order[:HELD_OUT])
    texts = encode(tokenizer, scored, config.max_length)
    expected = encoded_logits(teacher, texts)

    start = clocks()
    factors = gather_factors(
        teacher,
        None,
        tokenizer,
        encode(tokenizer, rest, config.max_length),
        is_regression=task.is_regression,
        general_share=config.selection.general_share,
        seed=config.seed,
    )
    ranking = since(start)
    chosen = encode(tokenizer, drawn_apart(rest, config.least_squares.texts, config.seed), config.max_length)
    for budget in budgets:
        start = clocks()
        selection = select(factors, budget, config.selection, config.criterion)
        shrunk = shrunk_network(task, teacher, factors, selection, config.selection.general_share)
        solved, _ = least_squares.solved(teacher, shrunk, chosen, ridge=config.least_squares.ridge)
        cutting = since(start)
        own = texts
        if len(selection.pieces) < bert_shape(teacher).vocabulary:
            cut = cut_tokenizer(tokenizer, selection.pieces, positions=selection.positions)
            own = encode(cut, scored, config.max_length)
        yield {
            "study": name,
            "budget": budget.name,
            "seed": config.seed,
            "split": scored.origin,
            "teacher": metrics(task, expected, texts.labels)[task.main_metric],
            "before": _compared(task, shrunk, own, expected),
            "after": _compared(task, solved, own, expected),
            "heads": [layer.heads for layer in selection.shape.layers],
            "ffn": [layer.ffn for layer in selection.shape.layers],
            "flop_ratio": round(selection.flop_ratio, 4),
            "total_density": round(selection.total_density, 4),
            "seconds": {"importance": ranking, "cut": cutting},
        }


def clocks() -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    return perf_counter(), process_time()


def since(start: tuple[float, float]) -> dict[str, float]:
    """Both since then; on a busy machine the clock's tell little."""
    clock, processor = (now - then for now, then in zip(clocks(), start, strict=True))
    return {"clock": round(clock, 1), "processor": round(processor, 1)}


def _compared(task: Task, model: Any, texts: Encoded, expected: np.ndarray) -> dict[str, float]:
    """A network's score, and how near its answers are to the teacher's."""
    found = encoded_logits(model, texts)
    agreeing = agreement(task, found, expected)
    if agreeing is None:
        agreeing = 0.0 if np.ptp(found) == 0 else np.corrcoef(found[:, 0], expected[:, 0])[0, 1]
    score, distance = metrics(task, found, texts.labels)[task.main_metric], divergence(task, found, expected).mean()
    return {"score": round(score, 4), "agreement": round(float(agreeing), 4), "distance": round(float(distance), 4)}


if __name__ == "__main__":
    main()
