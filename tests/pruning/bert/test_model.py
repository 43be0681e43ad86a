"""Slim layers on a BERT: attach, detach, copies, and the masked network against one written by hand."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from pruning.bert.gates import attach, detach, masked_copy, read_factors
from pruning.bert.model import bert_shape, freeze_word_table, read_weights, word_table
from pruning.bert.penalties import PENALTIES
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.slim_layer import slim_layers
from pruning.errors import BackboneError, ConfigError, SelectionError
from tests.factories.random_masks import random_masks, set_factors

Inputs = dict[str, torch.Tensor]
SUBSETS = [subset for size in range(1, 6) for subset in itertools.combinations(Site, size)]


@torch.no_grad()
def logits_of(model: nn.Module, inputs: Inputs) -> torch.Tensor:
    return model(**inputs).logits


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@torch.no_grad()
def by_hand(model: nn.Module, inputs: Inputs, masks: Masks, factors: dict[Site, torch.Tensor]) -> torch.Tensor:
    """Logits of a BERT whose masked units are gone, written from the definition, one text at a time, unpadded."""
    state = {name: value.double() for name, value in model.state_dict().items()}
    shape = bert_shape(model)
    gates = {site: torch.from_numpy(masks[site]).double() * factors[site].double() for site in Site}
    survivors = torch.from_numpy(masks.hidden)

    def linear(name: str, value: torch.Tensor) -> torch.Tensor:
        return value @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name: str, value: torch.Tensor) -> torch.Tensor:
        alive = value[:, survivors]
        centred = alive - alive.mean(-1, keepdim=True)
        scaled = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + model.config.layer_norm_eps)
        result = torch.zeros_like(value)
        result[:, survivors] = scaled * state[f"{name}.weight"][survivors] + state[f"{name}.bias"][survivors]
        return result * gates[Site.HIDDEN]

    answers = []
    for ids, attention, types in zip(
        inputs["input_ids"], inputs["attention_mask"], inputs["token_type_ids"], strict=True
    ):
        length = int(attention.sum())
        tables = "bert.embeddings"
        hidden = state[f"{tables}.word_embeddings.weight"][ids[:length]]
        hidden = hidden + state[f"{tables}.position_embeddings.weight"][:length]
        hidden = hidden + state[f"{tables}.token_type_embeddings.weight"][types[:length]]
        hidden = norm(f"{tables}.LayerNorm", hidden)
        for index in range(shape.layers):
            name = f"bert.encoder.layer.{index}"
            read = hidden * gates[Site.ATTENTION_INPUT][index]
            query, key, value = (linear(f"{name}.attention.self.{part}", read) for part in ("query", "key", "value"))
            heads = []
            for head in range(shape.heads):
                own = slice(head * shape.head_size, (head + 1) * shape.head_size)
                scores = query[:, own] @ key[:, own].T / shape.head_size**0.5
                heads.append(scores.softmax(-1) @ value[:, own])
            context = torch.cat(heads, dim=-1) * gates[Site.ATTENTION_CONTEXT][index]
            attended = linear(f"{name}.attention.output.dense", context)
            hidden = norm(f"{name}.attention.output.LayerNorm", attended + hidden)
            read = hidden * gates[Site.FFN_INPUT][index]
            inner = functional.gelu(linear(f"{name}.intermediate.dense", read)) * gates[Site.FFN_HIDDEN][index]
            hidden = norm(f"{name}.output.LayerNorm", linear(f"{name}.output.dense", inner) + hidden)
        answers.append(linear("classifier", torch.tanh(linear("bert.pooler.dense", hidden[0]))))
    return torch.stack(answers)


def ones(shape: BertShape) -> dict[Site, torch.Tensor]:
    return {site: torch.ones(shape.units(site)) for site in Site}


@pytest.mark.parametrize(
    ("sites", "penalty"),
    [*((subset, "log") for subset in SUBSETS), *((tuple(Site), penalty) for penalty in PENALTIES)],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_attach_and_detach_leave_the_function_as_it_was(
    tiny_bert: Any, tiny_inputs: Inputs, sites: tuple[Site, ...], penalty: str
) -> None:
    before, names = logits_of(tiny_bert, tiny_inputs), set(tiny_bert.state_dict())
    for _ in range(2):  # attached again after it was detached
        assert attach(tiny_bert, sites=sites, penalty=penalty) is tiny_bert
        assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)
        assert {(layer.site, layer.kind) for layer in slim_layers(tiny_bert)} == {(site, penalty) for site in sites}
        detach(detach(tiny_bert))  # nothing to remove is nothing to complain about
        assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)
        assert hook_count(tiny_bert) == 0
        assert set(tiny_bert.state_dict()) == names


@pytest.mark.parametrize("site", list(Site))
def test_each_site_really_takes_part(tiny_bert: Any, tiny_inputs: Inputs, site: Site) -> None:
    before = logits_of(tiny_bert, tiny_inputs)
    attach(tiny_bert, sites=[site])
    set_factors(tiny_bert)
    assert not torch.allclose(logits_of(tiny_bert, tiny_inputs), before, atol=1e-3)
    tiny_bert(**tiny_inputs).logits.sum().backward()
    assert all((layer.alpha.grad != 0).any() for layer in slim_layers(tiny_bert))
    assert torch.equal(logits_of(detach(tiny_bert), tiny_inputs), before)


def test_attached_twice_or_nowhere_is_refused(tiny_bert: Any) -> None:
    with pytest.raises(ConfigError, match=r"^sites: none given, expected at least one of hidden, attention_input,"):
        attach(tiny_bert, sites=[])
    attach(tiny_bert)
    with pytest.raises(ConfigError, match=r"^slim layers are attached already; detach them first$"):
        attach(tiny_bert)


def test_factors_travel_with_the_state(make_bert: Callable[..., Any], tiny_inputs: Inputs) -> None:
    first, second = attach(make_bert(0)), attach(make_bert(1))
    set_factors(first)
    second.load_state_dict(first.state_dict())
    assert torch.equal(logits_of(second, tiny_inputs), logits_of(first, tiny_inputs))


def test_a_deep_copy_is_independent(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    attach(tiny_bert)
    set_factors(tiny_bert)
    before, duplicate = logits_of(tiny_bert, tiny_inputs), copy.deepcopy(tiny_bert)
    set_factors(duplicate, seed=1)
    assert not torch.allclose(logits_of(duplicate, tiny_inputs), before)
    duplicate(**tiny_inputs).logits.sum().backward()
    assert all(layer.alpha.grad is None for layer in slim_layers(tiny_bert))
    detach(duplicate)
    assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)
    assert hook_count(tiny_bert) > 0


def test_one_factor_per_residual_unit_is_shared_by_all_layers(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    attach(tiny_bert, sites=[Site.HIDDEN])
    assert hook_count(tiny_bert) == 1 + 2 * 2  # after the embeddings and twice in each layer
    with torch.no_grad():
        factor = slim_layers(tiny_bert)[0].alpha
        factor[3] = 0
        states = tiny_bert(**tiny_inputs, output_hidden_states=True).hidden_states
    assert len(states) == 3
    assert all((state[..., 3] == 0).all() and (state[..., 2] != 0).any() for state in states)


def test_factors_are_read_by_site(tiny_bert: Any, tiny_shape: BertShape) -> None:
    attach(tiny_bert)
    factors = set_factors(tiny_bert)
    assert {site: tuple(values.shape) for site, values in factors.items()} == {
        site: tiny_shape.units(site) for site in Site
    }
    assert torch.equal(factors[Site.FFN_INPUT][1], tiny_bert.slim["ffn_input_1"].alpha)
    assert torch.equal(factors[Site.HIDDEN], tiny_bert.slim["hidden"].alpha)
    detach(tiny_bert)
    attach(tiny_bert, sites=[Site.FFN_HIDDEN, Site.HIDDEN])
    assert list(read_factors(tiny_bert)) == [Site.HIDDEN, Site.FFN_HIDDEN]


def test_factors_of_more_than_ten_layers_keep_their_order(make_bert: Callable[..., Any]) -> None:
    model = attach(make_bert(num_hidden_layers=12), sites=[Site.FFN_HIDDEN])
    with torch.no_grad():
        for index, layer in enumerate(slim_layers(model)):
            layer.alpha.fill_(index)
    assert read_factors(model)[Site.FFN_HIDDEN][:, 0].tolist() == list(range(12))


@pytest.mark.parametrize("keep", [0.0, 0.5])
@pytest.mark.parametrize("site", list(Site))
def test_masked_units_act_as_if_gone(
    tiny_bert: Any, tiny_inputs: Inputs, tiny_shape: BertShape, site: Site, keep: float
) -> None:
    before = logits_of(tiny_bert, tiny_inputs)
    masks = Masks.full(tiny_shape).with_site(site, random_masks(tiny_shape, keep, 1)[site])
    found = logits_of(masked_copy(tiny_bert, masks), tiny_inputs)
    expected = by_hand(tiny_bert, tiny_inputs, masks, ones(tiny_shape))
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert not torch.allclose(found, before, atol=1e-3)
    assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)  # the original is left alone
    assert hook_count(tiny_bert) == 0


@pytest.mark.parametrize("is_slimmed", [False, True])
@pytest.mark.parametrize(("seed", "keep"), [(0, 0.9), (1, 0.5), (2, 0.2), (3, 0.0), (4, 1.0)])
def test_masks_and_factors_at_all_sites_together(
    tiny_bert: Any, tiny_inputs: Inputs, tiny_shape: BertShape, seed: int, keep: float, is_slimmed: bool
) -> None:
    factors = set_factors(attach(tiny_bert), seed) if is_slimmed else ones(tiny_shape)
    masks = random_masks(tiny_shape, keep, seed)
    found = logits_of(masked_copy(tiny_bert, masks), tiny_inputs)
    torch.testing.assert_close(found.double(), by_hand(tiny_bert, tiny_inputs, masks, factors), atol=2e-5, rtol=0)
    assert all(layer.mask is None for layer in slim_layers(tiny_bert))


def test_masks_that_do_not_fit_are_refused(tiny_bert: Any, tiny_shape: BertShape) -> None:
    with pytest.raises(SelectionError, match=r"^mask for hidden: found bool \(6,\), expected bool \(8,\)$"):
        masked_copy(tiny_bert, Masks.full(BertShape(2, 2, 3, 6, 16, 67, 32, 2, 6, 2)))
    attach(tiny_bert, sites=[Site.HIDDEN])
    with pytest.raises(ConfigError, match=r"^masked_copy: slim layers must be attached at all sites, or at none$"):
        masked_copy(tiny_bert, Masks.full(tiny_shape))


@pytest.mark.parametrize(("layers", "hidden", "heads", "ffn"), [(12, 768, 12, 3072), (24, 1024, 16, 4096)])
def test_full_size_networks_have_their_widths(layers: int, hidden: int, heads: int, ffn: int) -> None:
    """bert-base and bert-large but for the vocabulary; shapes only ("meta" device)."""
    from transformers import BertConfig, BertForSequenceClassification

    widths = {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads}
    with torch.device("meta"):
        model = BertForSequenceClassification(BertConfig(**widths, intermediate_size=ffn, vocab_size=50, num_labels=3))
    shape = bert_shape(model)
    assert shape == BertShape(layers, heads, 64, hidden, ffn, 50, 512, 2, hidden, 3)
    factors = read_factors(attach(model))
    assert {site: values.shape for site, values in factors.items()} == {site: shape.units(site) for site in Site}
    assert hook_count(model) == 1 + 6 * layers


def test_other_networks_are_refused_in_one_line(tiny_shape: BertShape) -> None:
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, RobertaConfig
    from transformers import RobertaForSequenceClassification as Roberta

    sizes = {"vocab_size": 20, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1}
    distil = DistilBertConfig(vocab_size=20, dim=8, n_heads=2, n_layers=1, hidden_dim=16)
    others = {
        "roberta": Roberta(RobertaConfig(**sizes, intermediate_size=16)),
        "distilbert": DistilBertForSequenceClassification(distil),
        "Linear": nn.Linear(2, 2),
    }
    for kind, model in others.items():
        for function in (bert_shape, attach, read_weights, lambda model: masked_copy(model, Masks.full(tiny_shape))):
            message = rf"^backbone of type '{kind}': expected a BERT encoder \(model_type 'bert'\)$"
            with pytest.raises(BackboneError, match=message):
                function(model)


def test_weights_read_are_copies(tiny_bert: Any) -> None:
    weights = read_weights(tiny_bert)
    attention, ffn = weights.layers[0]
    tensors = [weights.words, weights.positions, weights.token_types, *weights.norm, *attention.query, *ffn.inner]
    assert not {tensor.data_ptr() for tensor in tensors} & {p.data_ptr() for p in tiny_bert.parameters()}


def test_the_word_table_is_read_and_frozen(tiny_bert: Any, tiny_shape: BertShape) -> None:
    table = word_table(tiny_bert)
    assert table.dtype == np.float32
    assert table.shape == (tiny_shape.vocabulary, tiny_shape.hidden)
    np.testing.assert_array_equal(table, tiny_bert.get_input_embeddings().weight.detach().numpy())
    freeze_word_table(tiny_bert)
    frozen = [name for name, parameter in tiny_bert.named_parameters() if not parameter.requires_grad]
    assert frozen == ["bert.embeddings.word_embeddings.weight"]
