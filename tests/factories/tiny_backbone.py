"""A tiny, randomly initialised BERT with its tokenizer, so that networks answer in milliseconds; all deterministic."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

from pruning.bert.shapes import BertShape
from pruning.data.tasks import get_task
from tests.factories.study_document import file_entry

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "a", "film", "soup", "dog", "is", "was", "good", "bad", "warm", "cold", "runs", "and", "not", "very")


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


def write_backbone(folder: Path) -> str:
    """A tiny backbone's folder; returns its weights' sha256."""
    make_bert("sst2", seed=1).bert.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return file_entry(folder / "model.safetensors")["sha256"]


def write_classifier(folder: Path, labels: tuple[str, ...] | None = ("no", "yes"), seed: int = 3) -> Path:
    """A tiny classifier as somebody else would have fine-tuned it: config, weights with a head, tokenizer.

    Args:
        folder: where.
        labels: label words; None of a regression.
        seed: of its weights.
    """
    import torch

    model = make_bert("stsb" if labels is None else "sst2", seed)
    if labels is not None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model.classifier = torch.nn.Linear(model.config.hidden_size, len(labels))
        model.config.id2label = dict(enumerate(labels))
        model.config.label2id = {label: number for number, label in enumerate(labels)}
        model.config.problem_type = None  # as most fine-tuned models leave it
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
