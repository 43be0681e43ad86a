"""Fine-tune by adapter and fully, side by side.

    python -m benchmarks.teacher_adapter --data glue sst2 cola
    python -m benchmarks.teacher_adapter --data glue rte --set adapter_rank=32 --set teacher_rate=3e-4

Same backbone, seed, batches and epochs; the study's own settings. Prints one JSON line a task.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pruning.config import StudyConfig, parse_settings, with_settings
from pruning.data import StudyData, default_source, get_task, load_examples
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import metrics
from pruning.measure.network import Network
from pruning.stages import Stages
from pruning.training.prepare import inputs_of, prepare
from pruning.training.teacher import train_teacher


def main() -> None:
    """Train both kinds of teacher for each task and print one JSON line a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for python -m pruning run")
    options = parser.parse_args()
    settings = with_settings(StudyConfig(), parse_settings(options.set))
    for name in options.tasks:
        task = get_task(name)
        train, held = load_examples(task, "train", options.data), load_examples(task, "validation", options.data)
        data = StudyData(task, train, {task.validation[0]: held}, "benchmark")
        row = {"task": name, "metric": task.main_metric, "count": len(held)}
        for tuning in ("adapter", "full"):
            context = prepare(with_settings(settings, {"teacher.tuning": tuning}), data)
            config = context.config
            with Stages(options.runs / name, inputs_of(context)).enter("teacher", {"teacher": config.teacher}) as stage:
                teacher = train_teacher(context, stage.folder)
            network = Network(teacher.model, context.tokenizer, config.max_length)
            row[tuning] = metrics(task, predict_logits(network, held), held.labels)[task.main_metric]
        row["adapter/full"] = row["adapter"] / row["full"] if row["full"] else None
        row |= {
            "teacher_epochs": config.teacher.epochs,
            "batch_size": config.trainer.batch_size,
            "adapter_rank": config.teacher.rank,
            "teacher_rate": config.teacher.rate,
            "full_rate": config.teacher.full_rate,
            "seed": config.seed,
        }
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
