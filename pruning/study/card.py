"""The README of a slim folder: what the network is, what it scores, and how to load it."""

from __future__ import annotations

from typing import Any

from pruning.bert.backbones import EMBEDDED
from pruning.data.tasks import Task


def model_card(document: dict[str, Any], percent: str) -> str:
    """Markdown for ``slim-<percent>/README.md``, every number taken from the study's document.

    Args:
        document: the study's JSON with its name.
        percent: the variant's total density in percent, as in its name.
    """
    task = Task.from_json(document["task"])
    rows = {row["variant"]: row for row in reversed(document["results"])}
    slim, teacher = rows[f"slim-{percent}"], rows["teacher"]
    network = document["selections"][percent]
    main = task.main_metric
    provenance, backbone = document["provenance"], document["backbone"]
    scores = "\n".join(
        f"| {task.metric_title(name)} | {teacher['metrics'][name]:.4f} | {slim['metrics'][name]:.4f} | "
        f"{document['floor'].get(name, 0.0):.4f} |"
        for name in task.metrics
    )
    kept = slim["retention_above_floor"]
    above = f", {kept:.1%} above the majority floor" if kept is not None else ""
    call = '{"text": "first text", "text_pair": "second text"}' if task.is_pair else '"a text"'
    answer = "a raw score" if task.is_regression else f"one of: {', '.join(task.labels or ())}"
    known = "sentence-transformers/all-MiniLM-L6-v2" if backbone["name"] == EMBEDDED else backbone["name"]
    is_folder = backbone["source"].startswith("folder ")  # whose path says nothing on another machine
    base = "" if is_folder else f"\nbase_model: {known}"
    origin = backbone["source"] if is_folder else f"{backbone['name']} ({backbone['source']})"
    return f"""---
library_name: transformers
pipeline_tag: text-classification{base}
---

# {document["name"]}: {task.title} at {network["total_density"]:.1%} of the teacher's parameters

The backbone {origin}, fine-tuned on {task.title}, slimmed, cut and recovered
by SlimViz: {network["parameters"]["total"]:,} parameters of {teacher["parameters"]["total"]:,} (encoder
{network["encoder_density"]:.1%}), {network["pieces"]:,} of {backbone["shape"]["vocabulary"]:,} vocabulary
pieces, texts up to {network["positions"]} tokens. Task: {task.description}

| {slim["split"]} split, {slim["count"]} examples | teacher | this network | majority floor |
| --- | --- | --- | --- |
{scores}

Retention of {task.metric_title(main)}: {slim["retention"]:.1%}{above}. Seed {provenance["seed"]},
commit {provenance["commit"]}, {provenance["date"]}, {provenance["hardware"]}. The full account is in `study.json` one
folder up.

```python
import pruning.slimbert  # registers the architecture
from transformers import pipeline

classify = pipeline("text-classification", "assets/studies/{document["name"]}/slim-{percent}")
classify({call})  # {answer}
```

It inherits what its training data and backbone got wrong, and a small vocabulary spells rare words in pieces. Weights
are stored in half precision and load as float32.
"""
