"""The ONNX graph says what the network says, whatever was cut; attention, activations and norms are single nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertForSequenceClassification

from pruning import slimbert
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import Masks, Site
from pruning.compress.shared_layers import tied
from pruning.compress.shrink import shrink
from pruning.errors import MeasureError
from pruning.export.onnx_graph import ACTIVATIONS, INPUTS, build_graph
from pruning.export.onnx_nodes import LARGEST_CODE, quantise
from tests.conftest import build_bert
from tests.factories.random_masks import random_masks

TOLERANCE = 1e-4
# How many units each site keeps; at least some of the residual width, without which there is no network.
KEEP = {site: st.sampled_from((0.0, 0.15, 0.5, 0.9, 1.0)) for site in Site if site is not Site.HIDDEN}
LENGTHS = ((7,), (1,), (9, 5, 2), (3, 3), (2, 11, 6, 1))


def texts(vocabulary: int, lengths: tuple[int, ...], seed: int = 1) -> dict[str, torch.Tensor]:
    """Padded texts, some tokens of the second type, something else than the padding piece behind their ends."""
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(1, vocabulary, mask.shape, generator=generator)
    types = torch.randint(0, 2, mask.shape, generator=generator)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def session(model: onnx.ModelProto, optimised: Path | None = None) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # a graph that was optimised is for this machine alone, and says so
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model: onnx.ModelProto, inputs: dict[str, torch.Tensor]) -> np.ndarray:
    (logits,) = session(model).run(None, {name: inputs[name].numpy() for name in INPUTS})
    return np.asarray(logits)


@torch.inference_mode()
def said(network: Any, inputs: dict[str, torch.Tensor]) -> np.ndarray:
    return network(**inputs).logits.numpy()


def slim(bert: BertForSequenceClassification, masks: Masks, **cuts: Any) -> slimbert.SlimBertForSequenceClassification:
    shape = bert_shape(bert)
    labels = {number: f"label {number}" for number in range(shape.labels)}
    weights = shrink(read_weights(bert), shape, masks, **cuts)
    return slimbert.from_weights(weights, id2label=labels, problem_type="single_label_classification", original=shape)


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@given(
    keep=st.fixed_dictionaries(KEEP),
    hidden=st.sampled_from((0.3, 0.7, 1.0)),
    lengths=st.sampled_from(LENGTHS),
    rank=st.sampled_from((None, 1, 2)),
    seed=st.integers(0, 10_000),
)
@settings(deadline=None, max_examples=25)
def test_it_answers_as_torch_does_whatever_is_cut(
    keep: dict[Site, float], hidden: float, lengths: tuple[int, ...], rank: int | None, seed: int
) -> None:
    bert = build_bert(seed, num_hidden_layers=3)
    masks = random_masks(bert_shape(bert), keep | {Site.HIDDEN: hidden}, seed)
    if not masks.hidden.sum() >= 2:
        masks = masks.with_site(Site.HIDDEN, np.arange(len(masks.hidden)) % 3 != 2)
    network = slim(bert, masks, rank=rank)
    inputs = texts(network.config.vocab_size, lengths, seed)
    np.testing.assert_allclose(run(build_graph(network), inputs), said(network, inputs), atol=TOLERANCE, rtol=0)


def uneven(shape: Any) -> Masks:
    """Layer 0: one head whole, of the other a half; layer 1: no attention; layer 2: a unit of one head, no FFN."""
    masks = random_masks(shape, 0.7, seed=5)
    context, ffn = masks.attention_context.copy(), masks.ffn_hidden.copy()
    context[0], context[1], context[2] = [True] * 6 + [False] * 2, False, [False] * 7 + [True]
    ffn[2] = False
    return masks.with_site(Site.ATTENTION_CONTEXT, context).with_site(Site.FFN_HIDDEN, ffn)


@pytest.mark.parametrize("lengths", LENGTHS)
def test_uneven_heads_and_layers_without_sub_layers(make_bert: Callable[..., Any], lengths: tuple[int, ...]) -> None:
    bert = make_bert(num_hidden_layers=3)
    network = slim(bert, uneven(bert_shape(bert)), rank=3, positions=12, pooler=np.arange(8) < 3)
    assert [layer["heads"] for layer in network.config.layers] == [2, 0, 1]
    assert [layer["ffn"] == 0 for layer in network.config.layers] == [False, False, True]
    inputs = texts(network.config.vocab_size, lengths)
    expected = said(network, inputs)
    np.testing.assert_allclose(run(build_graph(network), inputs), expected, atol=TOLERANCE, rtol=0)
    if len(lengths) > 1:
        assert np.ptp(expected, axis=0).min() > 100 * TOLERANCE  # the texts are told apart


def test_nothing_left_of_any_layer(tiny_bert: Any) -> None:
    shape = bert_shape(tiny_bert)
    keep = dict.fromkeys(Site, 0.0) | {Site.HIDDEN: 1.0}
    network = slim(tiny_bert, random_masks(shape, keep))
    inputs = texts(shape.vocabulary, (4, 2))
    model = build_graph(network)
    np.testing.assert_allclose(run(model, inputs), said(network, inputs), atol=TOLERANCE, rtol=0)
    assert kinds(model)["MultiHeadAttention"] == 0


def test_the_dense_network_is_berts(make_bert: Callable[..., Any]) -> None:
    for own in ({}, {"num_labels": 1, "layer_norm_eps": 1e-5}, {"num_labels": 3, "type_vocab_size": 2}):
        bert = make_bert(**own)
        inputs = texts(bert.config.vocab_size, (9, 5, 2))
        model = build_graph(slimbert.dense_from_bert(bert))
        np.testing.assert_allclose(run(model, inputs), said(bert, inputs), atol=TOLERANCE, rtol=0)


def test_padding_changes_nothing(tiny_bert: Any) -> None:
    model = build_graph(slimbert.dense_from_bert(tiny_bert))
    inputs = texts(tiny_bert.config.vocab_size, (9, 4))
    alone = {name: values[1:, :4] for name, values in inputs.items()}
    np.testing.assert_allclose(run(model, alone)[0], run(model, inputs)[1], atol=1e-5, rtol=0)
    longer = inputs | {"attention_mask": torch.ones_like(inputs["attention_mask"])}
    assert np.abs(run(model, longer) - run(model, inputs))[1].max() > 100 * TOLERANCE


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation(make_bert: Callable[..., Any], name: str) -> None:
    bert = make_bert(hidden_act=name)
    inputs = texts(bert.config.vocab_size, (9, 5, 2))
    found = run(build_graph(slimbert.dense_from_bert(bert)), inputs)
    np.testing.assert_allclose(found, said(bert, inputs), atol=TOLERANCE, rtol=0)


def test_an_activation_that_cannot_be_written(make_bert: Callable[..., Any]) -> None:
    with pytest.raises(MeasureError, match="onnx: activation 'laplace' cannot be written, expected one of gelu, "):
        build_graph(slimbert.dense_from_bert(make_bert(hidden_act="laplace")))


@pytest.mark.parametrize("is_int8", [False, True])
def test_what_a_session_computes_is_fused(make_bert: Callable[..., Any], tmp_path: Path, is_int8: bool) -> None:
    bert = make_bert(num_hidden_layers=3)
    model = build_graph(slim(bert, uneven(bert_shape(bert)), rank=3), is_int8=is_int8)
    session(model, tmp_path / "optimised.onnx")
    found = kinds(onnx.load(tmp_path / "optimised.onnx"))
    assert (found["MultiHeadAttention"], found["Gelu"], found["LayerNormalization"]) == (2, 2, 7)
    slow = {"Softmax", "Transpose", "Erf", "Pow", "Sqrt", "ReduceMean", "Split", "SkipLayerNormalization"}
    assert not slow & found.keys()
    if is_int8:
        assert found["DynamicQuantizeMatMul"] + found["MatMulIntegerToFloat"] > 10
        assert found["Gemm"] + found["FusedGemm"] + found["MatMul"] == 1  # the classifier


def test_what_layers_share_is_stored_once(make_bert: Callable[..., Any]) -> None:
    dense = slimbert.dense_from_bert(make_bert(num_hidden_layers=4))
    whole, shared = build_graph(dense), build_graph(tied(dense))
    assert len(shared.graph.initializer) < len(whole.graph.initializer) / 2
    inputs = texts(dense.config.vocab_size, (5, 3))
    np.testing.assert_allclose(run(shared, inputs), said(tied(dense), inputs), atol=TOLERANCE, rtol=0)


# ---- int8 --------------------------------------------------------------------------------------------------------


def test_codes_are_within_half_a_step() -> None:
    matrix = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32) * np.float32([1, 10, 0.1, 0, 3, 1e-6])
    codes, scale = quantise(matrix)
    assert (codes.dtype, codes.shape, scale.dtype, scale.shape) == (np.int8, (40, 6), np.float32, (6,))
    assert (np.abs(codes).max(axis=0) == [LARGEST_CODE] * 3 + [0] + [LARGEST_CODE] * 2).all()
    assert (np.abs(codes * scale - matrix) <= scale / 2 * 1.0001).all()


def test_int8_is_near_and_a_quarter_of_the_size(make_bert: Callable[..., Any]) -> None:
    bert = make_bert(hidden_size=64, num_attention_heads=4, intermediate_size=128, vocab_size=2000)
    network = slimbert.dense_from_bert(bert)
    inputs = texts(2000, (9, 5, 2))
    plain, small = build_graph(network), build_graph(network, is_int8=True)
    assert small.ByteSize() < 0.35 * plain.ByteSize()
    expected, found = run(plain, inputs), run(small, inputs)
    assert 0 < np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
