"""Studies whose networks are real but tiny and randomly initialised, so that they answer in milliseconds.

Numbers come from `synthetic_study`; the teacher, its backbone and the slim network are replaced by ones that load.
Everything is deterministic.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pruning.data.examples import Examples
from pruning.data.tasks import get_task
from pruning.study import load_cut, read_study
from tests.factories.study_document import file_entry, write_document
from tests.factories.synthetic_study import write_study
from tests.factories.tiny_backbone import WORDS, make_bert, make_tokenizer, shape, write_backbone

MAX_LENGTH = 48
BUDGET = "50"  # so small a network has little to cut


def write_tiny_study(parent: Path, task: str = "sst2", *, name: str | None = None, seed: int = 0) -> Path:
    """A study below `parent` whose teacher and slim network load; their backbone lies in a hidden folder beside it."""
    from safetensors.torch import save_file

    from pruning.slimbert import save_slim

    widths = shape(get_task(task).num_labels)
    backbone = parent / ".backbone"
    sha256 = file_entry(backbone / "model.safetensors")["sha256"] if backbone.exists() else write_backbone(backbone)
    folder = write_study(
        parent, task, name=name, shape=widths, backbone=backbone.name, budgets=(BUDGET,), shipped=(BUDGET,)
    )
    for old in folder.glob("teacher/*"):
        old.unlink()
    state = {key: tensor.contiguous() for key, tensor in make_bert(task, seed + 2).state_dict().items()}
    save_file(state, folder / "teacher" / "model.safetensors")
    slim = folder / f"slim-{BUDGET}"
    save_slim(cut_network(folder, make_bert(task, seed + 3)), slim)
    make_tokenizer().save_pretrained(slim)

    document = json.loads((folder / "study.json").read_text())
    document["backbone"] |= {"sha256": sha256, "shape": asdict(widths)}
    document["config"]["max_length"] = MAX_LENGTH
    document["config"]["selection"]["positions"] = MAX_LENGTH
    write_document(folder, document)
    return folder


def cut_network(folder: Path, model: Any) -> Any:
    """A network cut as the stored selection says."""
    from pruning.bert.model import bert_shape, read_weights
    from pruning.compress.shrink import shrink
    from pruning.slimbert import from_weights

    study = read_study(folder)
    cut, network, original = load_cut(study, BUDGET), study.selections[BUDGET].network, bert_shape(model)
    weights = shrink(
        read_weights(model),
        original,
        cut.masks,
        pieces=cut.pieces,
        rank=network.rank,
        frequencies=np.ones(original.vocabulary),
        positions=network.positions,
        pooler=cut.pooler,
    )
    problem = "regression" if study.task.is_regression else "single_label_classification"
    return from_weights(weights, id2label=model.config.id2label, problem_type=problem, original=original)


def tiny_examples(task_name: str, count: int) -> Examples:
    """Labelled examples of the tiny vocabulary."""
    task = get_task(task_name)
    rows = probe_rows(task_name, count)
    first, *second = ([row[column] for row in rows] for column in task.text)
    values = [row[task.label] for row in rows]
    labels = np.array(values, dtype=np.float32 if task.is_regression else np.int64)
    return Examples(tuple(first), tuple(second[0]) if second else None, labels, "tiny examples")


def probe_rows(task_name: str, count: int) -> list[dict[str, Any]]:
    """Examples as the bundled probe set stores them, with label numbers."""
    task = get_task(task_name)
    rows = []
    for number in range(count):
        words = [WORDS[(number * step + step) % len(WORDS)] for step in (1, 2, 3, 5)]
        texts = [" ".join(words), " ".join(reversed(words))][: len(task.text)]
        label = 5 * number / count if task.is_regression else number % task.num_labels
        rows.append(dict(zip(task.text, texts, strict=True)) | {task.label: label})
    return rows


def write_probe(folder: Path, task_name: str, count: int = 24) -> Path:
    """A small probe set for a task, in the bundled one's format; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) + "\n" for row in probe_rows(task_name, count)]
    (folder / f"{task_name}.jsonl").write_text("".join(lines))
    return folder
