"""Attention and habits against the networks' own maps, and against counting by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pruning.data.examples import unlabelled
from pruning.study import Study
from pruning.variants import slim
from slimviz.frames.attention import KINDS
from slimviz.live import attention
from slimviz.live.answers import predict
from slimviz.live.attention import habits, kinds_of, looks
from slimviz.live.networks import Network
from tests.factories.tiny_backbone import make_bert, make_tokenizer
from tests.factories.tiny_study import BUDGET, tiny_examples

Networks = Callable[[str], list[Network]]
HEADS = 4  # of the tiny teacher's layers
TEXT = "the film isn't good"


def maps_of(network: Network, *texts: str) -> list[Any]:
    """A network's own maps: (heads, tokens, tokens) by layer."""
    import torch

    inputs = network.tokenizer(*texts, return_tensors="pt")
    with torch.no_grad():
        return [found[0].numpy() for found in network.model(**inputs, output_attentions=True).attentions]


def test_the_teachers_attention_is_that_of_a_network_without_the_fused_kernel(networks: Networks) -> None:
    import torch

    teacher = networks("sst2")[0]
    plain = make_bert("sst2", seed=2)
    plain.set_attn_implementation("eager")
    inputs = make_tokenizer()(TEXT, return_tensors="pt")
    with torch.no_grad():
        wanted = plain(**inputs, output_attentions=True).attentions
    for layer in range(2):
        for head in range(HEADS):
            found = looks(teacher, HEADS, (layer, head), TEXT)
            assert found.shares is not None
            assert found.shares == pytest.approx(wanted[layer][0, head].numpy(), abs=1e-5)
            assert found.shares.sum(axis=1) == pytest.approx(np.ones(len(found.pieces)), abs=1e-5)
    assert found.pieces == ("[CLS]", "the", "film", "is", "##n", "'", "t", "good", "[SEP]")
    assert found.is_mark == (True, *[False] * 7, True)


def test_heads_of_the_slim_network_are_found_by_their_number_in_the_teacher(
    networks: Networks, study: Callable[[str], Study]
) -> None:
    small = networks("mrpc")[1]
    maps, gone, there = maps_of(small, TEXT, "a dog"), 0, 0
    for layer, kept in enumerate(small.model.config.kept_heads):
        for head in range(HEADS):
            found = looks(small, HEADS, (layer, head), TEXT, "a dog")
            if head in kept:
                there += 1
                assert found.shares == pytest.approx(maps[layer][kept.index(head)], abs=1e-5)
            else:
                gone += 1
                assert found.shares is None
    assert there
    assert gone == 2 * HEADS - sum(len(kept) for kept in small.model.config.kept_heads)


def test_a_head_that_is_cut_looks_at_nothing(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    small = networks("sst2")[1]
    kept = [list(heads) for heads in small.model.config.kept_heads]
    layer = next(number for number, heads in enumerate(kept) if heads)
    head = kept[layer][0]
    monkeypatch.setattr(small.model.config, "kept_heads", [[other + HEADS for other in heads] for heads in kept])
    assert looks(small, 2 * HEADS, (layer, head), TEXT).shares is None
    assert looks(small, 2 * HEADS, (layer, head + HEADS), TEXT).shares is not None


def test_the_shared_networks_stay_as_fast_and_as_they_were(networks: Networks) -> None:
    both = networks("sst2")
    before = [answer.probabilities for answer in predict(both, TEXT)]
    implementations = [network.model.config._attn_implementation for network in both]
    for network in both:
        looks(network, HEADS, (0, 0), TEXT)
        habits(network, HEADS, tiny_examples("sst2", 3))
    assert [network.model.config._attn_implementation for network in both] == implementations
    assert implementations[0] == "sdpa"
    assert [answer.probabilities for answer in predict(both, TEXT)] == before


def test_each_piece_counts_once_under_the_first_kind_that_it_is() -> None:
    tokenizer = make_tokenizer()
    ids = tokenizer("a dog!", "good")["input_ids"]  # [CLS] a dog ! [SEP] good [SEP]
    kinds, is_looking = kinds_of(ids, tokenizer)
    assert is_looking.tolist() == [False, True, True, True, False, True, False]
    rows = [[KINDS[number] for number in kinds[place]] for place in (1, 2, 5)]
    assert rows == [
        ["cls", "itself", "after", "punctuation", "sep", "other", "sep"],
        ["cls", "before", "itself", "after", "sep", "other", "sep"],
        ["cls", "other", "other", "punctuation", "sep", "itself", "sep"],
    ]


def test_habits_are_means_over_all_pieces_of_all_texts(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("a dog!", "the film isn't very good, is it?", "bad")
    examples = unlabelled(texts, None, "made up")
    teacher, small = networks("sst2")
    monkeypatch.setattr(attention, "TEXTS", 2)
    told: list[float] = []
    for network in (teacher, small):
        found = habits(network, HEADS, examples, told.append)
        shares, bits, even, most = [], [], [], []
        for text in texts:
            ids = network.tokenizer(text)["input_ids"]
            kinds, is_looking = kinds_of(ids, network.tokenizer)
            heads = [[looks(network, HEADS, (layer, head), text).shares for head in range(HEADS)] for layer in range(2)]
            for place in np.flatnonzero(is_looking):
                rows = np.array(
                    [[np.full(len(ids), np.nan) if h is None else h[place] for h in line] for line in heads]
                )
                by_kind = [rows[:, :, kinds[place] == number].sum(-1) for number in range(len(KINDS))]
                shares.append(np.stack(by_kind, axis=-1))
                bits.append(-(rows * np.log2(rows)).sum(-1))
                even.append([(kinds[place] == number).mean() for number in range(len(KINDS))])
                most.append(np.log2(len(ids)))
        assert found.shares == pytest.approx(np.mean(shares, axis=0), abs=1e-4, nan_ok=True)
        assert found.entropy == pytest.approx(np.mean(bits, axis=0), abs=1e-4, nan_ok=True)
        assert found.even == pytest.approx(np.mean(even, axis=0))
        assert found.most_entropy == pytest.approx(np.mean(most))
        assert found.texts == 3
        is_there = ~np.isnan(found.entropy)
        assert is_there.any()
        assert found.shares.sum(-1)[is_there] == pytest.approx(1, abs=1e-5)
        assert (found.entropy[is_there] <= found.most_entropy).all()
    assert told == [0, 2 / 3] * 2
    assert small.variant == slim(BUDGET)
