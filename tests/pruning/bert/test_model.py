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

from pruning.bert.gates import attach, detach, hook_gates, masked_copy, read_factors
from pruning.bert.model import bert_shape, freeze_word_table, gate_points, read_weights, word_table
from pruning.bert.penalties import PENALTIES
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.bert.slim_layer import slim_layers
from pruning.errors import BackboneError, ConfigError, SelectionError

Inputs = dict[str, torch.Tensor]
SUBSETS = [subset for size in range(1, 6) for subset in itertools.combinations(Site, size)]


@torch.no_grad()
def logits_of(model: nn.Module, inputs: Inputs) -> torch.Tensor:
    return model(**inputs).logits


def hook_count(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def set_factors(model: nn.Module, seed: int = 0) -> dict[Site, torch.Tensor]:
    """Give every unit its own factor, some of them negative."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in slim_layers(model):
            layer.alpha.copy_(0.3 + torch.randn(layer.alpha.shape, generator=generator))
    return read_factors(model)


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


def random_masks(shape: BertShape, seed: int, keep: float) -> Masks:
    generator = np.random.default_rng(seed)
    return Masks(**{site.value: generator.random(shape.units(site)) < keep for site in Site})


# ---- attach and detach ---------------------------------------------------------------------------------------------


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
    before = logits_of(tiny_bert, tiny_inputs)
    duplicate = copy.deepcopy(tiny_bert)
    assert torch.equal(logits_of(duplicate, tiny_inputs), before)
    with torch.no_grad():
        for layer in slim_layers(duplicate):
            layer.alpha.zero_()
    assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)
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
    states: list[torch.Tensor] = []
    with torch.no_grad():
        states += tiny_bert(**tiny_inputs, output_hidden_states=True).hidden_states
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


# ---- the masked network --------------------------------------------------------------------------------------------


def test_the_hand_written_network_is_bert(tiny_bert: Any, tiny_inputs: Inputs, tiny_shape: BertShape) -> None:
    expected = by_hand(tiny_bert, tiny_inputs, Masks.full(tiny_shape), ones(tiny_shape))
    torch.testing.assert_close(logits_of(tiny_bert, tiny_inputs).double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("keep", [0.0, 0.5])
@pytest.mark.parametrize("site", list(Site))
def test_masked_units_act_as_if_gone(
    tiny_bert: Any, tiny_inputs: Inputs, tiny_shape: BertShape, site: Site, keep: float
) -> None:
    before = logits_of(tiny_bert, tiny_inputs)
    masks = Masks.full(tiny_shape).with_site(site, random_masks(tiny_shape, 1, keep)[site])
    found = logits_of(masked_copy(tiny_bert, masks), tiny_inputs)
    expected = by_hand(tiny_bert, tiny_inputs, masks, ones(tiny_shape))
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)
    assert not torch.allclose(found, before, atol=1e-3)
    assert torch.equal(logits_of(tiny_bert, tiny_inputs), before)  # the original is left alone
    assert hook_count(tiny_bert) == 0


@pytest.mark.parametrize(("seed", "keep"), [(0, 0.9), (1, 0.5), (2, 0.2), (3, 0.0), (4, 1.0)])
def test_masks_and_factors_at_all_sites_together(
    tiny_bert: Any, tiny_inputs: Inputs, tiny_shape: BertShape, seed: int, keep: float
) -> None:
    attach(tiny_bert)
    factors = set_factors(tiny_bert, seed)
    masks = random_masks(tiny_shape, seed, keep)
    found = logits_of(masked_copy(tiny_bert, masks), tiny_inputs)
    torch.testing.assert_close(found.double(), by_hand(tiny_bert, tiny_inputs, masks, factors), atol=2e-5, rtol=0)
    assert all(layer.mask is None for layer in slim_layers(tiny_bert))


def test_masks_that_do_not_fit_are_refused(tiny_bert: Any, tiny_shape: BertShape) -> None:
    with pytest.raises(SelectionError, match=r"^mask for hidden: found bool \(6,\), expected bool \(8,\)$"):
        masked_copy(tiny_bert, Masks.full(BertShape(2, 2, 3, 6, 16, 67, 32, 2, 6, 2)))
    attach(tiny_bert, sites=[Site.HIDDEN])
    with pytest.raises(ConfigError, match=r"^masked_copy: slim layers must be attached at all sites, or at none$"):
        masked_copy(tiny_bert, Masks.full(tiny_shape))


def test_gates_are_hooked_only_where_asked(tiny_bert: Any, tiny_inputs: Inputs) -> None:
    seen: list[tuple[Site, int | None]] = []

    def gate_for(site: Site, layer: int | None) -> Callable[[torch.Tensor], torch.Tensor] | None:
        def gate(activations: torch.Tensor) -> torch.Tensor:
            seen.append((site, layer))
            return activations

        return gate if site is Site.FFN_HIDDEN else None

    handles = hook_gates(tiny_bert, gate_for)
    logits_of(tiny_bert, tiny_inputs)
    assert seen == [(Site.FFN_HIDDEN, 0), (Site.FFN_HIDDEN, 1)]
    for handle in handles:
        handle.remove()
    assert hook_count(tiny_bert) == 0


# ---- shapes, weights, other networks -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[(12, 768, 12, 3072), (24, 1024, 16, 4096)], ids=["base", "large"])
def full_size(request: pytest.FixtureRequest, make_bert: Callable[..., Any]) -> Any:
    """bert-base and bert-large but for the vocabulary, random weights; large has shapes only ("meta" device)."""
    from transformers import BertConfig, BertForSequenceClassification

    layers, hidden, heads, ffn = request.param
    config = BertConfig(
        vocab_size=50,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=ffn,
        num_labels=3,
    )
    with torch.device("meta" if layers == 24 else "cpu"), torch.random.fork_rng(devices=[]):
        return BertForSequenceClassification(config).eval()


def test_full_size_networks(full_size: Any, tiny_inputs: Inputs) -> None:
    shape = bert_shape(full_size)
    layers, hidden = len(full_size.bert.encoder.layer), full_size.config.hidden_size
    expected = BertShape(layers, hidden // 64, 64, hidden, 4 * hidden, 50, 512, 2, hidden, 3)
    assert shape == expected
    assert len(list(gate_points(full_size))) == 1 + 6 * layers
    is_real = next(full_size.parameters()).device.type == "cpu"
    inputs = {name: (value % 50)[:1, :4] for name, value in tiny_inputs.items()}
    before = logits_of(full_size, inputs) if is_real else None
    attach(full_size)
    assert len(slim_layers(full_size)) == 1 + 4 * layers
    assert {site: tuple(values.shape) for site, values in read_factors(full_size).items()} == {
        site: shape.units(site) for site in Site
    }
    if is_real:
        assert torch.equal(logits_of(full_size, inputs), before)
    detach(full_size)
    assert hook_count(full_size) == 0


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


def test_weights_are_copied_under_their_own_names(tiny_bert: Any, tiny_shape: BertShape) -> None:
    weights = read_weights(attach(tiny_bert))
    state = {name: value for name, value in tiny_bert.state_dict().items() if not name.startswith("slim.")}
    found = [weights.words, weights.positions, weights.token_types, *weights.norm, *weights.pooler, *weights.classifier]
    for attention, ffn in weights.layers:
        for part in (attention.query, attention.key, attention.value, attention.output, attention.norm):
            found += part
        for part in (ffn.inner, ffn.outer, ffn.norm):
            found += part
        assert attention.heads == tuple(range(tiny_shape.heads))
        assert attention.context == (tiny_shape.head_size,) * tiny_shape.heads
        assert attention.reads is None
        assert ffn.reads is None
    assert len(found) == len(state)
    # transformers lists a layer's modules in this very order, and the pooler and classifier last.
    order = [*found[:5], *found[9:], *found[5:9]]
    for (name, expected), tensor in zip(state.items(), order, strict=True):
        assert torch.equal(tensor, expected), name
        assert tensor.data_ptr() != expected.data_ptr(), name
    assert (weights.head_size, weights.layer_norm_eps, weights.hidden_act) == (4, 1e-12, "gelu")
    assert weights.words_projection is None


def test_the_word_table_is_read_and_frozen(tiny_bert: Any, tiny_shape: BertShape) -> None:
    table = word_table(tiny_bert)
    assert table.dtype == np.float32
    assert table.shape == (tiny_shape.vocabulary, tiny_shape.hidden)
    np.testing.assert_array_equal(table, tiny_bert.get_input_embeddings().weight.detach().numpy())
    freeze_word_table(tiny_bert)
    frozen = [name for name, parameter in tiny_bert.named_parameters() if not parameter.requires_grad]
    assert frozen == ["bert.embeddings.word_embeddings.weight"]
