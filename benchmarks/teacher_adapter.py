"""Fine-tune by adapter and fully, side by side.

    python -m benchmarks.teacher_adapter --data glue sst2 cola
    python -m benchmarks.teacher_adapter --data glue rte --set adapter_rank=32 --set teacher_rate=3e-4

Same backbone, seed, batches and epochs; the study's own settings. Prints one JSON line a task.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

from pruning.bert import backbones
from pruning.config import StudyConfig, parse_settings, with_settings
from pruning.data.batches import encode
from pruning.data.sources import default_source, load_examples
from pruning.data.tasks import get_task
from pruning.measure.logits import predict_logits
from pruning.measure.metrics import metrics
from pruning.pipeline import train_teacher

SETTINGS = ("teacher_epochs", "batch_size", "adapter_rank", "teacher_rate", "full_rate", "seed")


def main() -> None:
    """Train both kinds of teacher for each task and print one JSON line a task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--data", default=default_source())
    parser.add_argument("--runs", type=Path, default=Path("runs/benchmarks"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as for python -m pruning run")
    options = parser.parse_args()
    backbone = backbones.find_backbone()
    tokenizer = backbones.load_tokenizer(backbone)
    for name in options.tasks:
        task = get_task(name)
        train, held = load_examples(task, "train", options.data), load_examples(task, "validation", options.data)
        config = with_settings(StudyConfig(), parse_settings(options.set)).resolve(len(train))
        encoded = encode(tokenizer, train, config.max_length)
        shown = encode(tokenizer, held, config.max_length)
        scores = {}
        for kind in ("adapter", "full"):
            chosen = dataclasses.replace(config, teacher=kind)
            settings = hashlib.sha256(json.dumps(chosen.to_json(), sort_keys=True).encode()).hexdigest()[:8]
            folder = options.runs / f"teacher-{name}-{kind}-{settings}"
            teacher, _ = train_teacher(chosen, task, backbone, encoded, shown, folder)
            logits = predict_logits(teacher, tokenizer, held, max_length=config.max_length)
            scores[kind] = metrics(task, logits, held.labels)[task.main_metric]
        ratio = scores["adapter"] / scores["full"] if scores["full"] else None
        row = {"task": name, "metric": task.main_metric, "count": len(held), **scores, "adapter/full": ratio}
        row |= {field: getattr(config, field) for field in SETTINGS}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
