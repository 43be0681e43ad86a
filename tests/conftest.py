"""Shared fixtures: a tiny BERT classifier, its tokenizer and backbone folder, a few examples. No network.

torch and transformers are imported inside the fixtures: tests of what must work without them share this file.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruning.bert.shapes import BertShape
from pruning.data.examples import Examples

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is imported
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: more threads each would wait for one another
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("the", "one", "film", "soup", "is", "was", "good", "bad", "very", "not")
VOCABULARY = (*SPECIAL, *WORDS, *string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), ".")
SHAPE = BertShape(
    layers=2,
    heads=2,
    head_size=4,
    hidden=8,
    ffn=16,
    vocabulary=len(VOCABULARY),
    positions=32,
    token_types=2,
    pooler=8,
    labels=2,
)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks the hub for anything, nor do the processes that tests start."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def tiny_shape() -> BertShape:
    """Widths of `tiny_bert`."""
    return SHAPE


def build_bert(seed: int = 0, **settings: Any) -> Any:
    """A small BERT classifier in eval mode; see `make_bert`."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    widths = {
        "vocab_size": SHAPE.vocabulary,
        "hidden_size": SHAPE.hidden,
        "num_hidden_layers": SHAPE.layers,
        "num_attention_heads": SHAPE.heads,
        "intermediate_size": SHAPE.ffn,
        "max_position_embeddings": SHAPE.positions,
        "num_labels": SHAPE.labels,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    with torch.random.fork_rng(devices=[]):  # the tests' own random numbers stay what they were
        model = BertForSequenceClassification(BertConfig(**(widths | settings)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            if name.endswith("LayerNorm.weight"):
                parameter.copy_(1 + 0.2 * values)
            elif parameter.ndim == 1:
                parameter.copy_(0.2 * values)
            else:
                parameter.copy_(values / parameter.shape[-1] ** 0.5)
    return model.eval()


@pytest.fixture(scope="session")
def make_bert() -> Callable[..., Any]:
    """A factory of small BERT classifiers in eval mode: ``make_bert(seed, **settings of BertConfig)``.

    Every parameter, biases and LayerNorms included, has distinct values drawn with the seed, so that no mix-up of two
    of them goes unseen. There is no dropout unless asked for.
    """
    return build_bert


@pytest.fixture
def tiny_bert(make_bert: Callable[..., Any]) -> Any:
    """`BertForSequenceClassification`: 2 layers, 2 heads of 4, hidden 8, FFN 16, 2 labels; a fresh one each time."""
    return make_bert()


@pytest.fixture
def tiny_inputs() -> dict[str, Any]:
    """Three padded texts of 7, 4 and 2 tokens, the first one a pair, as `tiny_bert` reads them."""
    import torch

    generator = torch.Generator().manual_seed(1)
    mask = (torch.arange(7) < torch.tensor([[7], [4], [2]])).long()
    ids = torch.randint(len(SPECIAL), SHAPE.vocabulary, (3, 7), generator=generator) * mask
    types = torch.zeros_like(ids)
    types[0, 4:] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def write_vocabulary(folder: Path) -> dict[str, int]:
    """Write ``vocab.txt`` and return the numbers of its pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return {piece: number for number, piece in enumerate(VOCABULARY)}


@pytest.fixture
def tiny_tokenizer(tmp_path: Path) -> Any:
    """A fast WordPiece tokenizer that can spell every lower-case text."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=write_vocabulary(tmp_path / "tiny_tokenizer"))


@pytest.fixture
def tiny_backbone(tmp_path: Path, tiny_bert: Any, tiny_tokenizer: Any) -> Path:
    """A folder as `find_backbone` takes one: config, safetensors, tokenizer."""
    folder = tmp_path / "tiny_backbone"
    tiny_bert.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_examples() -> Examples:
    """Twenty-two single texts of 1 to 11 words, with classes that follow from the words."""
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 1 + number % 11)) for number in range(22)]
    labels = np.array([text.count("good") >= text.count("bad") for text in texts], dtype=np.int64)
    return Examples(tuple(texts), None, labels, "tiny examples")


@pytest.fixture
def tiny_pairs() -> Examples:
    """Ten pairs of texts with scores from 0 to 5."""
    generator = np.random.default_rng(1)
    texts, pairs = ([" ".join(generator.choice(WORDS, 1 + number % 5)) for number in range(10)] for _ in range(2))
    return Examples(tuple(texts), tuple(pairs), np.linspace(0, 5, 10, dtype=np.float32), "tiny pairs")
