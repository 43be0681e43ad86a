"""Shipped teachers saved as plain Hugging Face folders, and pruned as a stranger's model.

    python -m benchmarks.given_teachers sst2 mrpc --data glue                       3,000 texts without labels
    python -m benchmarks.given_teachers sst2 mrpc --data glue --labels --rows 0     all rows, with labels
    python -m benchmarks.given_teachers sst2 mrpc --data glue --one-shot --budgets 0.5

Texts are training rows, drawn with seed 0; a tenth of them is held out by `prune`, and agreement with the teacher is
counted there. The teacher was trained on those rows and answers some as it remembers them, so agreement and metric are
counted on the validation split, too, which it never saw. One line of JSON a network.
Stages are kept under runs/given, so that budgets share them and an interrupted call goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from pruning import load_study, prune
from pruning.config import parse_settings
from pruning.data import Examples, default_source, load_examples
from pruning.measure.environment import current_commit
from pruning.measure.fidelity import fidelity
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import metrics
from pruning.measure.network import Network
from pruning.records import to_plain
from pruning.study import Study
from pruning.study.networks import load_network
from pruning.training.prepare import training_rows
from pruning.variants import TEACHER

SEED = 0


def main() -> None:
    """Prune each teacher to each budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="+")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--rows", type=int, default=3000, help="0 for all")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.25, 0.1])
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--one-shot", action="store_true", help="nothing is trained")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for python -m pruning run")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/given"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name in options.studies:
        for row in rows(load_study(name), options):
            print(json.dumps(row), flush=True)


def rows(study: Study, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row a budget."""
    task, folder = study.task, options.runs / study.name / "model"
    if not folder.is_dir():
        study.network("teacher").save_pretrained(folder)
        study.tokenizer("teacher").save_pretrained(folder)
    train = training_rows(load_examples(task, "train", options.data), options.rows, SEED)
    labels = labels_of(study, train) if options.labels else None
    unseen, teacher = load_examples(task, task.validation[0], options.data), load_network(study, TEACHER)
    for budget in options.budgets:
        begun = perf_counter()
        slim = prune(
            str(folder),
            None,
            train.texts,
            budget,
            labels,
            train.pairs,
            recover=not options.one_shot,
            seed=SEED,
            settings=parse_settings(options.set),
            runs=options.runs / study.name,
            quiet=True,
        )
        found = slim.report.slim.fidelity
        row: dict[str, Any] = {
            "study": study.name,
            "commit": current_commit(),
            "rows": slim.report.rows,
            "held_out": slim.report.slim.count,
            "budget": budget,
            "recovered": not options.one_shot,
            "settings": options.set,
            "labels": options.labels,
            "agreement": None if found is None else found.agreement,
            "divergence": None if found is None else found.divergence,
            "threads": options.threads,
            "seconds": {stage: round(seconds, 1) for stage, seconds in slim.report.seconds.items()},
            "wall": round(perf_counter() - begun, 1),
        }
        small = Network(slim.network, slim.tokenizer, study.document.config.max_length)
        own, reference = (predict_logits(network, unseen) for network in (small, teacher))
        row["unseen"] = {
            "texts": len(unseen),
            "metrics": metrics(task, own, unseen.labels),
            **to_plain(fidelity(task, own, reference)),
        }
        yield row


def labels_of(study: Study, examples: Examples) -> list[Any]:
    """Labels as a stranger would have them: words, or scores."""
    words = study.task.labels
    return examples.labels.tolist() if words is None else [words[number] for number in examples.labels]


if __name__ == "__main__":
    main()
