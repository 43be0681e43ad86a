"""The README of a slim folder: what the network is, what it scores, and how to load it."""

from __future__ import annotations

from pruning.bert.backbones import EMBEDDED
from pruning.errors import StoreError
from pruning.study.document import Document, Result
from pruning.study.notes import notes
from pruning.variants import TEACHER, Variant


def model_card(document: Document, variant: Variant) -> str:
    """Markdown for a slim folder's ``README.md``, every number taken from the study's document.

    Args:
        document: the study's, with the name that it is stored under.
        variant: a network that is cut and has results.
    """
    task = document.task
    slim, teacher = _row(document, variant), _row(document, TEACHER)
    selection = document.selections[slim.selection or ""]
    network = selection.network
    main = task.main_metric
    stages = document.config.stages
    done = [f"fine-tuned on {task.title}", *(["slimmed"] if "slim" in stages else []), "cut"]
    done += ["solved by least squares"] if "least_squares" in stages else []
    done += ["recovered"] if "recover" in stages else []
    provenance, backbone = document.provenance, document.backbone
    scores = "\n".join(
        f"| {task.metric_title(name)} | {teacher.metrics[name]:.4f} | {slim.metrics[name]:.4f} | "
        f"{document.floor.get(name, 0.0):.4f} |"
        for name in task.metrics
    )
    kept, above = slim.retention, slim.retention_above_floor
    retained = f"{kept:.1%}" if kept is not None else "undefined, the teacher scores 0"
    if above is not None:
        retained += f", {above:.1%} above the majority floor"
    said = "".join(f" {note}" for note in notes(document, task.title))
    call = '{"text": "first text", "text_pair": "second text"}' if task.is_pair else '"a text"'
    answer = "a raw score" if task.is_regression else f"one of: {', '.join(task.labels or ())}"
    known = "sentence-transformers/all-MiniLM-L6-v2" if backbone.name == EMBEDDED else backbone.name
    is_folder = backbone.source.startswith("folder ")  # which nobody else has
    base = "" if is_folder else f"\nbase_model: {known}"
    origin = backbone.source if is_folder else f"{backbone.name} ({backbone.source})"
    return f"""---
library_name: transformers
pipeline_tag: text-classification{base}
---

# {document.name}: {task.title} at {selection.total_density:.1%} of the teacher's parameters

The backbone {origin}, {", ".join(done[:-1])} and {done[-1]}
by SlimViz: {selection.parameters.total:,} parameters of {teacher.parameters.total:,} (encoder
{selection.encoder_density:.1%}), {network.vocabulary:,} of {backbone.shape.vocabulary:,} vocabulary
pieces, texts up to {network.positions} tokens. Task: {task.description}

| {slim.split} split, {slim.count} examples | teacher | this network | majority floor |
| --- | --- | --- | --- |
{scores}

Retention of {task.metric_title(main)}: {retained}. Seed {provenance.seed},
commit {provenance.commit}, {provenance.date}, {provenance.hardware}. The full account is in `study.json` one
folder up.{said}

```python
import pruning.slimbert  # registers the architecture
from transformers import pipeline

classify = pipeline("text-classification", "assets/studies/{document.name}/{variant}")
classify({call})  # {answer}
```

It inherits what its training data and backbone got wrong, and a small vocabulary spells rare words in pieces. Weights
are stored in half precision and load as float32.
"""


def _row(document: Document, variant: Variant) -> Result:
    """A variant's row on the first split that it has one for."""
    for row in document.results:
        if row.variant == variant:
            return row
    raise StoreError(f"study {document.name}: no results of {variant}, expected them before its card")
