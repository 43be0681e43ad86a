"""The README of a slim folder, in a study or exported: what the network is, what it scores, and how to load it."""

from __future__ import annotations

from pruning.bert.backbones import EMBEDDED
from pruning.data.tasks import TASKS
from pruning.errors import StoreError
from pruning.study.document import Document, Result
from pruning.study.notes import notes
from pruning.variants import TEACHER, Variant
from pruning.version import VERSION


def model_card(document: Document, variant: Variant) -> str:
    """Markdown for a study's slim folder's ``README.md``, every number taken from the study's document.

    Args:
        document: the study's, with the name that it is stored under.
        variant: a network that is cut and has results.
    """
    task = document.task
    call = '{"text": "first text", "text_pair": "second text"}' if task.is_pair else '"a text"'
    answer = "a raw score" if task.is_regression else f"one of: {', '.join(task.labels or ())}"
    folder = "assets/studies" if task.name in TASKS else "my-studies"
    loading = f"""\
```python
import pruning.slimbert  # registers the architecture
from transformers import pipeline

classify = pipeline("text-classification", "{folder}/{document.name}/{variant}")
classify({call})  # {answer}
```"""
    stored = "Weights\nare stored in half precision and load as float32."
    return _card(document, variant, "The full account is in `study.json` one\nfolder up.", loading, stored)


def export_card(document: Document, variant: Variant, loading: str) -> str:
    """The same for an exported folder, the teacher's too.

    Args:
        document: the study's.
        variant: a network with results.
        loading: Markdown that says how the folder is loaded.
    """
    task = document.task
    answer = "a raw score" if task.is_regression else f"in this order: {', '.join(task.labels or ())}"
    loading = f"{loading}\n\nIt answers {answer}."
    license_text = "The\nweights are derived from the backbone's, whose license goes with them."
    return _card(document, variant, f"Exported by SlimViz\n{VERSION}.", loading, license_text)


def _card(document: Document, variant: Variant, account: str, loading: str, ending: str) -> str:
    """A card.

    Args:
        document: the study's.
        variant: a network with results.
        account: the sentence after the origin of the numbers.
        loading: how the network is loaded.
        ending: the last sentence.
    """
    task, backbone, provenance = document.task, document.backbone, document.provenance
    row, teacher = _row(document, variant), _row(document, TEACHER)
    known = "sentence-transformers/all-MiniLM-L6-v2" if backbone.name == EMBEDDED else backbone.name
    is_folder = backbone.source.startswith("folder ")  # which nobody else has
    base = "" if is_folder else f"\nbase_model: {known}"
    scores = "\n".join(
        f"| {task.metric_title(name)} | {teacher.metrics[name]:.4f} | {row.metrics[name]:.4f} | "
        f"{document.floor.get(name, 0.0):.4f} |"
        for name in task.metrics
    )
    floor = "majority floor" if task.is_labelled else "one same answer to all"
    said = "".join(f" {note}" for note in notes(document, task.title))
    return f"""---
library_name: transformers
pipeline_tag: text-classification{base}
---

# {document.name}: {_title(document, row)}

{_made(document, row)} Task: {task.description}

| {row.split} split, {row.count} examples | teacher | this network | {floor} |
| --- | --- | --- | --- |
{scores}

{_retained(document, row)}Seed {provenance.seed},
commit {provenance.commit}, {provenance.date}, {provenance.hardware}. {account}{said}

{loading}

It inherits what its training data and backbone got wrong{_spelling(row)}. {ending}
"""


def _title(document: Document, row: Result) -> str:
    if row.variant.is_teacher:
        return f"the teacher of {document.task.title}"
    selection = document.selections[row.selection or ""]
    return f"{document.task.title} at {selection.total_density:.1%} of the teacher's parameters"


def _made(document: Document, row: Result) -> str:
    """How the network was made, and its size."""
    backbone, stages = document.backbone, document.config.stages
    is_folder = backbone.source.startswith("folder ")
    origin = backbone.source if is_folder else f"{backbone.name} ({backbone.source})"
    is_given = document.config.has_given_teacher  # fine-tuned by somebody else
    what, tuned = ("backbone", [f"fine-tuned on {document.task.title}"]) if not is_given else ("classifier", [])
    if row.variant.is_teacher:
        by_us = f", {tuned[0]}\nby SlimViz" if tuned else ",\ntaken as it is"
        return f"The {what} {origin}{by_us}: {row.parameters.total:,} parameters, nothing cut."
    selection = document.selections[row.selection or ""]
    network = selection.network
    done = [*tuned, *(["slimmed"] if "slim" in stages else []), "cut"]
    done += ["solved by least squares"] if "least_squares" in stages else []
    done += ["recovered"] if "recover" in stages else []
    teacher = _row(document, TEACHER)
    return f"""The {what} {origin}, {", ".join(done[:-1])} and {done[-1]}
by SlimViz: {selection.parameters.total:,} parameters of {teacher.parameters.total:,} (encoder
{selection.encoder_density:.1%}), {network.vocabulary:,} of {backbone.shape.vocabulary:,} vocabulary
pieces, texts up to {network.positions} tokens."""


def _retained(document: Document, row: Result) -> str:
    """What it keeps of the teacher's main metric; nothing of the teacher itself, nor where that says it already."""
    if row.variant.is_teacher or not document.task.is_labelled:
        return ""
    kept, above = row.retention, row.retention_above_floor
    retained = f"{kept:.1%}" if kept is not None else "undefined, the teacher scores 0"
    if above is not None:
        retained += f", {above:.1%} above the majority floor"
    return f"Retention of {document.task.metric_title(document.task.main_metric)}: {retained}. "


def _spelling(row: Result) -> str:
    return "" if row.variant.is_teacher else ", and a small vocabulary spells rare words in pieces"


def _row(document: Document, variant: Variant) -> Result:
    """A variant's row on the first split that it has one for."""
    for row in document.results:
        if row.variant == variant:
            return row
    raise StoreError(f"study {document.name}: no results of {variant}, expected them before its card")
