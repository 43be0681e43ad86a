"""The slim architecture: dense equals HF's BERT; calls, training, saving, pipelines."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, pipeline
from transformers.utils import logging

from pruning import slimbert
from pruning.bert.counts import count_parameters
from pruning.bert.gates import hook_gates, masked_copy
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.vocabulary import cut_tokenizer, protected_pieces
from pruning.compress.shrink import shrink
from pruning.errors import SlimVizError

Inputs = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def quiet() -> None:
    """No progress bars of weights being loaded."""
    logging.disable_progress_bar()


def some_masks(shape: BertShape) -> Masks:
    """Uneven heads and reads everywhere; nothing left of layer 0's FFN and layer 1's attention."""
    generator = np.random.default_rng(5)
    masks = Masks(**{site.value: generator.random(shape.units(site)) < 0.7 for site in Site})
    context, ffn = masks.attention_context.copy(), masks.ffn_hidden.copy()
    context[0], context[1], ffn[0] = [1, 0, 1, 0, 1, 1, 1, 0], 0, 0
    return masks.with_site(Site.ATTENTION_CONTEXT, context.astype(bool)).with_site(Site.FFN_HIDDEN, ffn)


def slim(bert: Any, masks: Masks | None = None, **cuts: Any) -> slimbert.SlimBertForSequenceClassification:
    shape = bert_shape(bert)
    weights = shrink(read_weights(bert), shape, some_masks(shape) if masks is None else masks, **cuts)
    words = {0: "score"} if shape.labels == 1 else dict(enumerate(["no", "yes", "maybe"][: shape.labels]))
    problem = "regression" if shape.labels == 1 else "single_label_classification"
    return slimbert.from_weights(weights, id2label=words, problem_type=problem, original=shape)


@torch.no_grad()
@pytest.mark.parametrize(
    "settings", [{}, {"num_labels": 3, "hidden_act": "relu", "layer_norm_eps": 1e-5}, {"num_labels": 1}]
)
def test_dense_is_berts_equal(make_bert: Callable[..., Any], tiny_inputs: Inputs, settings: dict[str, Any]) -> None:
    bert = make_bert(**settings)
    dense = slimbert.dense_from_bert(bert)
    bert.set_attn_implementation("eager")  # the only one that gives attention maps
    labels = torch.tensor([0.5, 2.0, 4.0]) if bert.config.num_labels == 1 else torch.tensor([0, 1, 1])
    wanted = {"output_hidden_states": True, "output_attentions": True}
    for inputs in (tiny_inputs, {"input_ids": tiny_inputs["input_ids"]}, {**tiny_inputs, "labels": labels}):
        expected, found = bert(**inputs, **wanted), dense(**inputs, **wanted)
        torch.testing.assert_close(found.logits, expected.logits, atol=1e-5, rtol=0)
        assert (found.loss is None) == (expected.loss is None)
        if found.loss is not None:
            torch.testing.assert_close(found.loss, expected.loss)
        assert len(found.hidden_states) == len(found.attentions) + 1 == 3
        for name in ("hidden_states", "attentions"):
            for state, reference in zip(getattr(found, name), getattr(expected, name), strict=True):
                torch.testing.assert_close(state, reference, atol=1e-5, rtol=0)
    encoder = dense.slimbert(**tiny_inputs)
    torch.testing.assert_close(encoder.pooler_output, bert.bert(**tiny_inputs).pooler_output, atol=1e-5, rtol=0)
    shape = bert_shape(bert)
    assert slimbert.shape_of(dense.config) == shape.network()
    assert slimbert.parameter_count(dense) == count_parameters(shape.network())
    assert sum(p.numel() for p in bert.parameters()) == count_parameters(shape.network()).total


@torch.no_grad()
def test_states_are_the_masked_networks_and_maps_those_of_heads_left(
    tiny_bert: Any, tiny_shape: BertShape, tiny_inputs: Inputs
) -> None:
    network, masks = slim(tiny_bert), some_masks(tiny_shape)
    output = network(**tiny_inputs, output_attentions=True, output_hidden_states=True)
    plain = network(**tiny_inputs, return_dict=False)
    assert isinstance(plain, tuple)
    torch.testing.assert_close(output.logits, plain[0], atol=1e-6, rtol=0)
    first, second = output.attentions
    assert second is None  # no heads left
    assert first.shape == (3, 2, 7, 7)
    torch.testing.assert_close(first.sum(-1), torch.ones(3, 2, 7))
    assert not first[1, :, :, 4:].any()
    expected = masked_copy(tiny_bert, masks)(**tiny_inputs, output_hidden_states=True).hidden_states
    for state, reference in zip(output.hidden_states, expected, strict=True):
        torch.testing.assert_close(state, reference[..., torch.from_numpy(masks.hidden)], atol=1e-5, rtol=0)
    assert network(**tiny_inputs).hidden_states is None


@torch.no_grad()
@pytest.mark.parametrize("cuts", [{}, {"rank": 3}])
def test_word_embeddings_as_input(tiny_bert: Any, tiny_inputs: Inputs, cuts: dict[str, Any]) -> None:
    network = slim(tiny_bert, **cuts)
    ids = tiny_inputs.pop("input_ids")
    words = network.slimbert.embeddings.embed_words(ids)
    assert words.shape == (3, 7, network.config.hidden_size)
    torch.testing.assert_close(network(inputs_embeds=words, **tiny_inputs).logits, network(ids, **tiny_inputs).logits)
    for wrong in ({}, {"input_ids": ids, "inputs_embeds": words}):
        with pytest.raises(SlimVizError, match="either input_ids or inputs_embeds"):
            network(**wrong)


@torch.no_grad()
def test_head_gates(tiny_bert: Any, tiny_shape: BertShape, tiny_inputs: Inputs) -> None:
    """Gates are numbered like the original heads: a closed gate is a cut head, a half-open one halves its context."""
    mask = np.ones((2, 8), dtype=bool)
    mask[0, :4], mask[1, 7] = False, False  # head 0 of layer 0 is gone, layer 1 is uneven
    masks = Masks.full(tiny_shape).with_site(Site.ATTENTION_CONTEXT, mask)
    network = slim(tiny_bert, masks)
    answer = network(**tiny_inputs).logits
    gates = torch.ones(2, 2)
    torch.testing.assert_close(network(**tiny_inputs, head_gates=gates).logits, answer, atol=1e-6, rtol=0)
    gates[0, 0] = 0
    torch.testing.assert_close(network(**tiny_inputs, head_gates=gates).logits, answer, atol=1e-6, rtol=0)
    gates[1, 0] = 0
    mask[1, :4] = False
    closed = slim(tiny_bert, masks.with_site(Site.ATTENTION_CONTEXT, mask))
    torch.testing.assert_close(
        network(**tiny_inputs, head_gates=gates).logits, closed(**tiny_inputs).logits, atol=1e-6, rtol=0
    )
    half = torch.rand(2, 2)
    hook_gates(
        tiny_bert,
        lambda site, layer: (
            (lambda context: context * half[layer].repeat_interleave(4))
            if site is Site.ATTENTION_CONTEXT and layer is not None
            else None
        ),
    )
    found = slimbert.dense_from_bert(tiny_bert)(**tiny_inputs, head_gates=half).logits
    torch.testing.assert_close(found, tiny_bert(**tiny_inputs).logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(network(**tiny_inputs).logits, answer)  # a call's argument leaves no trace
    each = torch.stack([torch.ones(2, 2), gates, torch.rand(2, 2)])  # every example its own
    together = network(**tiny_inputs, head_gates=each).logits
    for number, own in enumerate(each):
        alone = network(**tiny_inputs, head_gates=own).logits[number]
        torch.testing.assert_close(together[number], alone, atol=1e-6, rtol=0)
    with pytest.raises(SlimVizError, match=r"head_gates: shape \(2, 1\), expected \(layers, heads\) \(2, 2\)"):
        network(**tiny_inputs, head_gates=torch.ones(2, 1))


def test_head_gates_have_gradients(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    gates = torch.ones(2, 2, requires_grad=True)
    slim(tiny_bert)(**tiny_inputs, head_gates=gates, labels=torch.tensor([0, 1, 0])).loss.backward()
    assert gates.grad is not None
    assert gates.grad[0].all()
    assert not gates.grad[1].any()


def test_texts_longer_than_the_position_table(tiny_bert: Any) -> None:
    network = slim(tiny_bert, positions=6)
    with torch.no_grad():
        network(torch.ones(1, 6, dtype=torch.long))
    with pytest.raises(SlimVizError, match="input: 7 tokens, expected at most 6"):
        network(torch.ones(1, 7, dtype=torch.long))


@pytest.mark.parametrize("labels", [1, 2, 3])
@pytest.mark.parametrize("is_autocast", [False, True])
def test_every_parameter_learns(
    make_bert: Callable[..., Any], tiny_inputs: Inputs, labels: int, is_autocast: bool
) -> None:
    """Gathers, uneven heads, low rank, empty sub-layers: all differentiable, also under mixed precision."""
    network = slim(make_bert(num_labels=labels), rank=3, positions=9).train()
    targets = torch.tensor([0.5, 3.0, 1.0]) if labels == 1 else torch.tensor([0, 1, labels - 1])
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_autocast):
            loss = network(**tiny_inputs, labels=targets).loss
        optimizer.zero_grad()
        loss.backward()
        without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
        assert without == []
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    logits = network(**tiny_inputs).logits
    expected = functional.mse_loss(logits[:, 0], targets) if labels == 1 else functional.cross_entropy(logits, targets)
    torch.testing.assert_close(network(**tiny_inputs, labels=targets).loss, expected)


def test_training_in_bfloat16_answers_as_without_gradients(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    """Training there does without the fused attention kernel."""
    network = slimbert.dense_from_bert(tiny_bert)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        learning = network(**tiny_inputs).logits
        with torch.no_grad():
            answering = network(**tiny_inputs).logits
    assert learning.requires_grad
    names = {part.name() for part in _ancestors(learning.grad_fn)}
    assert not any("ScaledDotProduct" in name for name in names)
    torch.testing.assert_close(learning, answering, atol=0.03, rtol=0.03)


def _ancestors(node: Any) -> set[Any]:
    """All steps of a backward pass."""
    found, waiting = set(), [node]
    while waiting:
        step = waiting.pop()
        if step is not None and step not in found:
            found.add(step)
            waiting += [before for before, _ in step.next_functions]
    return found


def test_fresh_weights_from_a_configuration(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    config = slim(tiny_bert, rank=3).config
    network = AutoModelForSequenceClassification.from_config(config)
    attention, ffn = network.slimbert.layers[0].attention, network.slimbert.layers[0].ffn
    assert attention.reads.tolist() == list(range(len(attention.reads)))
    assert not ffn.outer.bias.any()
    assert network(**tiny_inputs).logits.isfinite().all()
    assert slimbert.SlimBertConfig().num_hidden_layers == 0


@torch.no_grad()
@pytest.mark.parametrize(
    "cuts", [{}, {"rank": 3, "pieces": np.arange(20), "positions": 16, "pooler": np.arange(8) < 3}]
)
def test_reload_gives_identical_logits(tiny_bert: Any, tiny_inputs: Inputs, tmp_path: Path, cuts: dict) -> None:
    network = slim(tiny_bert, **cuts)
    tiny_inputs["input_ids"] %= network.config.vocab_size
    original = copy.deepcopy(network)
    for name in ("again", "slim"):
        slimbert.save_slim(network, tmp_path / name)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "slim" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    torch.testing.assert_close(network(**tiny_inputs).logits, original(**tiny_inputs).logits, atol=0, rtol=0)
    assert sorted(path.name for path in (tmp_path / "slim").iterdir()) == ["config.json", "model.safetensors"]
    stored = load_file(tmp_path / "slim" / "model.safetensors")
    assert {tensor.dtype for name, tensor in stored.items() if not name.endswith("reads")} == {torch.float16}
    assert {tensor.dtype for name, tensor in stored.items() if name.endswith("reads")} == {torch.int32}
    assert json.loads((tmp_path / "slim" / "config.json").read_text())["dtype"] == "float32"
    slimbert.round_to_half(network)
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    for load in (AutoModelForSequenceClassification, slimbert.SlimBertForSequenceClassification):
        reloaded = load.from_pretrained(tmp_path / "slim")
        assert isinstance(reloaded, slimbert.SlimBertForSequenceClassification)
        assert {parameter.dtype for parameter in reloaded.parameters()} == {torch.float32}
        assert not reloaded.training
        assert torch.equal(reloaded(**tiny_inputs).logits, network(**tiny_inputs).logits)
        assert slimbert.shape_of(reloaded.config) == slimbert.shape_of(network.config)
        for key in ("id2label", "label2id", "problem_type", "original", "kept_heads", "layer_norm_eps"):
            assert getattr(reloaded.config, key) == getattr(network.config, key)
    encoder = AutoModel.from_pretrained(tmp_path / "slim")
    assert isinstance(encoder, slimbert.SlimBertModel)
    expected = network.slimbert(**tiny_inputs).last_hidden_state
    assert torch.equal(encoder(**tiny_inputs).last_hidden_state, expected)
    assert isinstance(AutoConfig.from_pretrained(tmp_path / "slim"), slimbert.SlimBertConfig)


@torch.no_grad()
def test_transformers_own_saving_works_too(tiny_bert: Any, tiny_inputs: Inputs, tmp_path: Path) -> None:
    network = slim(tiny_bert)
    network.save_pretrained(tmp_path / "own")
    slimbert.save_slim(network, tmp_path / "full", half=False)
    for folder in ("own", "full"):
        reloaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / folder)
        assert torch.equal(reloaded(**tiny_inputs).logits, network(**tiny_inputs).logits)
    half = AutoModelForSequenceClassification.from_pretrained(tmp_path / "full", dtype=torch.bfloat16)
    assert half.slimbert.layers[0].attention.reads.dtype == torch.int32
    assert half(**tiny_inputs).logits.isfinite().all()


def test_weights_too_large_for_half_precision_are_refused(tiny_bert: Any, tmp_path: Path) -> None:
    network = slim(tiny_bert)
    with torch.no_grad():
        network.classifier.weight[0, 0] = 1e5
    with pytest.raises(SlimVizError, match=r"saving classifier.weight: .* expected at most 65504"):
        slimbert.save_slim(network, tmp_path)
    assert list(tmp_path.iterdir()) == []


@torch.no_grad()
@pytest.mark.parametrize("labels", [3, 1])
def test_pipelines_answer_in_label_words_or_raw_scores(
    make_bert: Callable[..., Any], tiny_tokenizer: Any, tmp_path: Path, labels: int
) -> None:
    protected = protected_pieces(tiny_tokenizer)
    pieces = np.flatnonzero(protected | (np.arange(len(protected)) % 2 == 0))
    network = slimbert.round_to_half(slim(make_bert(num_labels=labels), pieces=pieces, rank=4, positions=16))
    if labels == 1:
        network.classifier.bias.fill_(3.5)  # out of a sigmoid's reach
    tokenizer = cut_tokenizer(tiny_tokenizer, pieces, positions=16)
    slimbert.save_slim(network, tmp_path)
    tokenizer.save_pretrained(tmp_path)
    classify = pipeline("text-classification", str(tmp_path), top_k=None)
    assert classify.tokenizer.is_fast
    for text in ("the soup was good .", {"text": "a film", "text_pair": "bad soup"}):
        encoded = tokenizer(*text.values() if isinstance(text, dict) else (text,), return_tensors="pt")
        assert set(encoded) == {"input_ids", "token_type_ids", "attention_mask"}
        logits = network(**encoded).logits[0]
        expected = (
            {"score": logits.item()}
            if labels == 1
            else zip(("no", "yes", "maybe"), logits.softmax(-1).tolist(), strict=True)
        )
        assert {said["label"]: said["score"] for said in classify([text])[0]} == pytest.approx(dict(expected), abs=1e-6)
    assert classify("good " * 100, truncation=True)  # the stored limit is the position table's
