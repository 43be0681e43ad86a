"""Try a recipe on a development split inside the training rows; what docs/experiments.md quotes.

    python -m benchmarks.development mrpc --budgets 0.1 --seeds 0 1 2 --set recover.steps=1000
    python -m benchmarks.development mrpc --teacher-from STUDY --transfer qqp,mnli --set recover.own_share=0.5

15% of the training rows, none of which shares a sentence with the rest, are set aside (the same for every seed). The
teacher, the vocabulary and everything else learn from the other 85% alone; the validation split is not read, but for
its sentences, which no text of another task may contain. One line of JSON a network, appended to runs/development.jsonl
too. Stages that two rows share are computed once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from pruning import load_study
from pruning.cli.options import numbers, words
from pruning.config import PRESETS, StudyConfig, parse_settings, with_settings
from pruning.data import StudyData, default_source, get_task, load_examples, transfer_examples
from pruning.data.overlap import development_split, sentences
from pruning.measure.environment import current_commit
from pruning.measure.fidelity import agreement, divergence
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import floor, metrics
from pruning.pipeline import make_networks
from pruning.training.prepare import prepare
from pruning.training.start import Start, find_start
from pruning.variants import TEACHER

SPLIT_SEED = 0


def main() -> None:
    """Train, cut, recover and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task")
    parser.add_argument("--name", default="", help="what is tried, for the log")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--runs", type=Path, default=Path("runs/development"))
    parser.add_argument("--preset", choices=tuple(PRESETS), default="full")
    parser.add_argument("--budgets", type=numbers, default=(0.1,))
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="further seeds of recovery")
    parser.add_argument("--teacher-from", help="a study, or a folder with a stored teacher")
    parser.add_argument("--transfer", type=words, default=())
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for python -m pruning run")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    log = options.runs.parent / "development.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    for row in rows(options):
        print(json.dumps(row), flush=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row a network."""
    given = {
        "budgets": tuple(options.budgets),
        "ship": (),
        "recover.transfer": tuple(options.transfer),
        "recover.seeds": tuple(options.seeds),
        "ablation_rows": 0,
    }
    config = with_settings(StudyConfig(), PRESETS[options.preset] | given | parse_settings(options.set))
    task = get_task(options.task)
    train, apart = development_split(load_examples(task, "train", options.data), SPLIT_SEED)
    transfer = None
    if options.transfer:
        others = [get_task(name) for name in options.transfer]
        held = sentences(apart)
        transfer = transfer_examples(task, others, options.data, config.recover.transfer_rows, config.seed, held)
    data = StudyData(task, train, {task.validation[0]: apart}, "development", transfer)
    context = prepare(config, data, start=start_of(options.teacher_from), quiet=True)
    begun = perf_counter()
    run = make_networks(context, options.runs)
    networks = run.by_variant()
    reference = predict_logits(networks[TEACHER], apart)
    best, least = metrics(task, reference, apart.labels)[task.main_metric], floor(task, apart.labels)[task.main_metric]
    shapes = {network.cut.budget.name: network.cut.selection.shape for network in run.networks}
    for variant, network in networks.items():
        logits = predict_logits(network, apart)
        value = metrics(task, logits, apart.labels)[task.main_metric]
        shape = None if variant.is_teacher else shapes[variant.budget or ""]
        yield {
            "task": task.name,
            "name": options.name,
            "preset": options.preset,
            "settings": [*options.set, f"transfer={','.join(options.transfer)}", f"from={options.teacher_from or ''}"],
            "commit": current_commit(),
            "train": len(train),
            "count": len(apart),
            "others": 0 if transfer is None else len(transfer),
            "floor": round(least, 4),
            "variant": variant.name,
            task.main_metric: round(value, 4),
            "above_floor": round((value - least) / (best - least), 4) if best > least else None,
            "divergence": round(float(divergence(task, logits, reference).mean()), 4),
            "agreement": agreement(task, logits, reference),
            "heads": None if shape is None else [layer.heads for layer in shape.layers],
            "ffn": None if shape is None else [layer.ffn for layer in shape.layers],
            "pieces": None if shape is None else shape.vocabulary,
            "rank": None if shape is None else shape.rank,
            "seconds": {name: round(value, 1) for name, value in run.seconds.items()},
            "wall": round(perf_counter() - begun, 1),
        }


def start_of(name: str | None) -> Start | None:
    """A stored teacher, of a study or in a folder of its own."""
    if name is None:
        return None
    folder = Path(name)
    if (folder / "adapter_config.json").is_file():
        return find_start(folder.parent.parent.name, folder)
    study = load_study(name)
    return find_start(study.name, study.folder / "teacher")


if __name__ == "__main__":
    main()
