"""Studies whose networks are real but tiny and randomly initialised, so that they answer in milliseconds.

Numbers come from `synthetic_study`; the teacher, its backbone and the slim network are replaced by ones that load.
Everything is deterministic.
"""

from __future__ import annotations

import hashlib
import json
import string
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pruning.bert.shapes import BertShape
from pruning.data.examples import Examples
from pruning.data.tasks import get_task
from tests.synthetic_study import edit, write_study

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "a", "film", "soup", "dog", "is", "was", "good", "bad", "warm", "cold", "runs", "and", "not", "very")
MAX_LENGTH = 48
BUDGET = "50"  # so small a network has little to cut


def vocabulary() -> list[str]:
    """Specials, words, letters and digits with their continuations, some signs."""
    signs = string.ascii_lowercase + string.digits
    return [*SPECIAL, *WORDS, *signs, *(f"##{sign}" for sign in signs), *".,!?'-<>/="]


def shape(labels: int) -> BertShape:
    """The tiny teacher's widths."""
    return BertShape(2, 4, 4, 16, 64, len(vocabulary()), 512, 2, 16, labels)


def make_tokenizer() -> Any:
    """A fast BERT tokenizer of that vocabulary."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    numbers = {piece: number for number, piece in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token=SPECIAL[1]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(names, SPECIAL, strict=True)))


def make_bert(task_name: str, seed: int) -> Any:
    """A randomly initialised tiny BERT classifier whose answers differ from text to text."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    task, widths = get_task(task_name), shape(get_task(task_name).num_labels)
    labels = task.labels or ("score",)
    config = BertConfig(
        vocab_size=widths.vocabulary,
        hidden_size=widths.hidden,
        num_hidden_layers=widths.layers,
        num_attention_heads=widths.heads,
        intermediate_size=widths.ffn,
        max_position_embeddings=widths.positions,
        type_vocab_size=widths.token_types,
        initializer_range=0.6,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        problem_type="regression" if task.is_regression else "single_label_classification",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BertForSequenceClassification(config).eval()


def entry(path: Path) -> dict[str, Any]:
    """What `study.json` says of a file."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_backbone(folder: Path) -> str:
    """A tiny backbone's folder; returns its weights' sha256."""
    make_bert("sst2", seed=1).bert.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return entry(folder / "model.safetensors")["sha256"]


def write_tiny_study(parent: Path, task: str = "sst2", *, name: str | None = None, seed: int = 0) -> Path:
    """A study below `parent` whose teacher and slim network load; their backbone lies in a hidden folder beside it."""
    from safetensors.torch import save_file

    from pruning.slimbert.network import dense_from_bert, save_slim

    widths = shape(get_task(task).num_labels)
    backbone = parent / ".backbone"
    sha256 = entry(backbone / "model.safetensors")["sha256"] if backbone.exists() else write_backbone(backbone)
    folder = write_study(
        parent, task, name=name, shape=widths, backbone=str(backbone), budgets=(BUDGET,), shipped=(BUDGET,)
    )
    for old in folder.glob("teacher/*"):
        old.unlink()
    state = {key: tensor.contiguous() for key, tensor in make_bert(task, seed + 2).state_dict().items()}
    save_file(state, folder / "teacher" / "model.safetensors")
    slim = folder / f"slim-{BUDGET}"
    save_slim(dense_from_bert(make_bert(task, seed + 3)), slim)
    make_tokenizer().save_pretrained(slim)

    def update(document: dict[str, Any]) -> None:
        document["backbone"] |= {"sha256": sha256, "shape": asdict(widths)}
        document["config"]["max_length"] = MAX_LENGTH
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "study.json")
        document["files"] = {str(path.relative_to(folder)): entry(path) for path in files}

    edit(folder, update)
    return folder


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
