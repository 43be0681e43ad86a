"""Berts of every width and kind that is supported: the laws of shrinking hold, and so does the whole one-shot path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pruning import slimbert
from pruning.bert.backbones import find_backbone, load_backbone, load_tokenizer
from pruning.bert.counts import count_parameters
from pruning.bert.gates import masked_copy
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import Masks, Site, network_shape
from pruning.bert.support import ACTIVATIONS
from pruning.bert.vocabulary import cut_tokenizer
from pruning.compress import least_squares
from pruning.compress.cut import shrunk_network
from pruning.compress.shrink import shrink
from pruning.data import Examples, custom_task, encode
from pruning.data.tasks import get_task
from pruning.errors import BackboneError
from pruning.importance.gather import gather_factors
from pruning.measure.logits import encoded_logits
from pruning.selection.budget import Budget
from pruning.selection.select import select
from tests.conftest import build_bert
from tests.factories.random_masks import random_masks
from tests.factories.vocabularies import SPECIAL, bert_tokenizer, multilingual

Inputs = dict[str, torch.Tensor]
MATRICES = ("attention.self.query", "attention.self.key", "attention.output.dense", "intermediate.dense")
NETWORKS: dict[str, dict[str, Any]] = {
    "one token type": {"type_vocab_size": 1},
    "four token types": {"type_vocab_size": 4},
    "64 positions": {"max_position_embeddings": 64},
    "514 positions": {"max_position_embeddings": 514},
    "three heads of ten": {"hidden_size": 30, "num_attention_heads": 3, "intermediate_size": 45},
    "one head": {"num_attention_heads": 1},
    "epsilon": {"layer_norm_eps": 1e-3},
    "narrow FFN": {"intermediate_size": 3},
    **{name: {"hidden_act": name} for name in ACTIVATIONS},
}


def without_bias(model: Any, names: tuple[str, ...]) -> Any:
    """A network whose matrices of these names have no bias, in no layer."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and name.endswith(names):
            module.bias = None
    return model


def inputs_for(model: Any) -> Inputs:
    generator = torch.Generator().manual_seed(3)
    mask = (torch.arange(7) < torch.tensor([[7], [4], [2]])).long()
    ids = torch.randint(5, model.config.vocab_size, mask.shape, generator=generator) * mask
    types = torch.randint(0, model.config.type_vocab_size, mask.shape, generator=generator) * mask
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@torch.no_grad()
def check_laws(model: Any, folder: Path) -> None:
    """Dense equals the BERT, shrunk equals masked, reloaded equals saved, counted equals stored."""
    shape, inputs = bert_shape(model), inputs_for(model)
    dense = slimbert.dense_from_bert(model)
    torch.testing.assert_close(dense(**inputs).logits, model(**inputs).logits, atol=2e-5, rtol=1e-5)
    assert slimbert.parameter_count(dense) == count_parameters(shape.network())
    for seed, keep in enumerate((0.5, 0.9)):
        masks = random_masks(shape, keep, seed)
        small = slimbert.from_weights(
            shrink(read_weights(model), shape, masks),
            id2label={0: "a", 1: "b"},
            problem_type="single_label_classification",
            original=shape,
        )
        expected = masked_copy(model, masks)(**inputs).logits
        torch.testing.assert_close(small(**inputs).logits, expected, atol=1e-4, rtol=1e-4)
        widths = {"vocabulary": shape.vocabulary, "positions": shape.positions, "pooler": shape.pooler}
        counted = count_parameters(network_shape(shape, masks, rank=None, **widths))
        assert counted == slimbert.parameter_count(small)
        assert counted.total == sum(parameter.numel() for parameter in small.parameters())
    slimbert.save_slim(small, folder, half=False)
    reloaded = slimbert.SlimBertForSequenceClassification.from_pretrained(folder)
    assert torch.equal(reloaded(**inputs).logits, small(**inputs).logits)


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_laws(kind: str, tmp_path: Path) -> None:
    check_laws(build_bert(2, **NETWORKS[kind]), tmp_path)


@pytest.mark.parametrize("names", [("pooler.dense",), MATRICES, ("dense", "query", "key", "value", "classifier")])
def test_laws_without_biases(names: tuple[str, ...], tmp_path: Path) -> None:
    model = without_bias(build_bert(4), names)
    assert ("pooler.dense" in names or "dense" in names) == (model.bert.pooler.dense.bias is None)
    check_laws(model, tmp_path)


def texts(words: list[str], count: int = 40) -> Examples:
    generator = np.random.default_rng(0)
    made = [" ".join(generator.choice(words, 1 + number % 9)) for number in range(count)]
    return Examples(tuple(made), None, np.arange(count) % 2, "made-up texts")


@pytest.mark.parametrize(
    ("pieces", "options", "network"),
    [
        (multilingual(), {"strip_accents": False}, {}),
        (multilingual("cased", "accents"), {"do_lower_case": False}, {"type_vocab_size": 4, "hidden_act": "silu"}),
        (multilingual("chinese", "latin"), {"tokenize_chinese_chars": False}, {"hidden_act": "gelu_new"}),
        ((*SPECIAL, "film", "good", "##ness", "кино"), {}, {"hidden_size": 30, "num_attention_heads": 3}),
    ],
)
def test_one_shot_from_importance_to_least_squares(
    pieces: tuple[str, ...], options: dict[str, Any], network: dict[str, Any]
) -> None:
    """With a table longer than the vocabulary; the cut network equals the masked one with that table and pooler."""
    tokenizer = bert_tokenizer(pieces, **options)
    model = without_bias(build_bert(1, vocab_size=len(pieces) + 3, **network), ("pooler.dense",))
    examples = texts(["good", "film", "кино", "中文", "The café", "नमस्ते", "unknowable", "42"])
    encoded = encode(tokenizer, examples, 16)
    factors = gather_factors(model, None, tokenizer, encoded, is_regression=False, general_share=0.2, seed=0)
    selection = select(factors, Budget("total_density", 0.75), criterion="brain_surgeon")
    assert len(selection.pieces) <= len(pieces)
    small = shrunk_network(custom_task("t", ("text",), ("no", "yes")), model, factors, selection, 0.2)
    own = encode(cut_tokenizer(tokenizer, selection.pieces, positions=selection.positions), examples, 16)
    reference = masked_copy(model, selection.masks).requires_grad_(False)
    small.requires_grad_(False)
    reference.classifier.weight[:, torch.from_numpy(~selection.pooler)] = 0
    projection = small.slimbert.embeddings.projection
    hidden = torch.from_numpy(selection.masks.hidden)
    table = reference.bert.embeddings.word_embeddings.weight
    words = small.slimbert.embeddings.words.weight
    rows = torch.from_numpy(selection.pieces)[:, None]
    table[rows, hidden.nonzero().flatten()] = words if projection is None else words @ projection.weight.T
    as_full = [selection.pieces[ids].astype(np.int32) for ids in own.input_ids]
    expected = encoded_logits(reference, type(own)(**{**vars(own), "input_ids": as_full}))
    np.testing.assert_allclose(encoded_logits(small, own), expected, atol=1e-4)
    kept = None if hidden.all() else selection.masks.hidden
    solved, fits = least_squares.solved(model, small, encoded, ridge=0.1, hidden=kept)
    assert all(fit.after <= fit.before * (1 + 1e-4) + 1e-9 for fit in fits)
    assert np.isfinite(encoded_logits(solved, own)).all()


def rewrite(folder: Path, change: Any) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def load(folder: Path) -> Any:
    return load_backbone(find_backbone(str(folder)), get_task("sst2"))


NO_BIAS = ("pooler.dense.bias", "query.bias", "intermediate.dense.bias")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state | {"bert.embeddings.position_ids": torch.arange(32)[None]},
        lambda state: state | {"bert.embeddings.token_type_ids": torch.zeros(1, 32, dtype=torch.long)},
        lambda state: state | {"cls.predictions.bias": torch.ones(68), "cls.seq_relationship.weight": torch.ones(2, 8)},
        lambda state: {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
            for name, value in state.items()
        },
    ],
    ids=["positions", "token types", "a pre-training head", "old names"],
)
def test_checkpoints_with_other_names(change: Any, tiny_backbone: Path, tiny_bert: Any) -> None:
    rewrite(tiny_backbone, change)
    state = load(tiny_backbone).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in tiny_bert.state_dict().items())


def test_checkpoints_without_biases_have_zeros(tiny_backbone: Path, tmp_path: Path) -> None:
    rewrite(tiny_backbone, lambda state: {name: value for name, value in state.items() if not name.endswith(NO_BIAS)})
    model = load(tiny_backbone)
    zeros = [name for name, value in model.named_parameters() if not value.any()]
    assert sorted(zeros) == sorted(name for name, _ in model.named_parameters() if name.endswith(NO_BIAS))
    check_laws(model, tmp_path / "slim")


def test_a_bias_that_one_layer_lacks_is_damage(tiny_backbone: Path) -> None:
    gone = "bert.encoder.layer.1.intermediate.dense.bias"
    rewrite(tiny_backbone, lambda state: {name: value for name, value in state.items() if name != gone})
    with pytest.raises(BackboneError, match=rf"weights cannot be loaded \({gone} is missing"):
        load(tiny_backbone)


def test_texts_of_one_token_type_go_through(tiny_backbone: Path) -> None:
    model = build_bert(3, type_vocab_size=1)
    model.save_pretrained(tiny_backbone)
    tokenizer = load_tokenizer(find_backbone(str(tiny_backbone)))
    single = texts(["good", "film"], 6)
    pairs = Examples(single.texts, single.texts[::-1], single.labels, "pairs")
    shape = bert_shape(model)
    assert shape.token_types == 1
    masks = Masks.full(shape).with_site(Site.FFN_HIDDEN, random_masks(shape, 0.5)[Site.FFN_HIDDEN])
    for examples in (single, pairs):
        encoded = encode(tokenizer, examples, 24)
        small = slimbert.from_weights(
            shrink(read_weights(model), shape, masks),
            id2label={0: "a", 1: "b"},
            problem_type="single_label_classification",
            original=shape,
        )
        expected = encoded_logits(masked_copy(model, masks), encoded)
        np.testing.assert_allclose(encoded_logits(small, encoded), expected, atol=1e-4)
