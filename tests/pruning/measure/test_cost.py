"""Counting agrees with torch's counter and with what is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pruning import slimbert
from pruning.bert.counts import (
    FLOP_LENGTH,
    Component,
    component_flops,
    component_index_bytes,
    component_parameters,
    count_flops,
    count_parameters,
)
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import BertShape, Masks, Site
from pruning.compress.shrink import shrink
from pruning.measure.cost import costs, flops_by_torch, index_buffers, parameters_by_numel, size_on_disk
from tests.factories.random_masks import random_masks


def first_layer_without(shape: BertShape, site: Site) -> Masks:
    return Masks.full(shape).with_site(site, np.arange(shape.layers)[:, None].repeat(shape.units(site)[1], 1) > 0)


# A name, the masks, and what else is cut.
SLIM: list[tuple[str, Callable[[BertShape], Masks], dict[str, Any]]] = [
    ("dense", Masks.full, {}),
    ("random", lambda shape: random_masks(shape, 0.6, 1), {}),
    ("sparse", lambda shape: random_masks(shape, 0.25, 2), {}),
    ("nothing", lambda shape: Masks.full(shape, False), {}),
    ("no heads", lambda shape: first_layer_without(shape, Site.ATTENTION_CONTEXT), {}),
    ("no FFN", lambda shape: first_layer_without(shape, Site.FFN_HIDDEN), {}),
    ("rank", lambda shape: random_masks(shape, 0.6, 3), {"rank": 3, "pieces": np.arange(20), "positions": 16}),
    ("pooler", Masks.full, {"pooler": np.arange(8) < 3}),
]


@pytest.mark.parametrize(("masks_of", "cuts"), [case[1:] for case in SLIM], ids=[case[0] for case in SLIM])
def test_counts_are_torchs_own_and_those_of_what_is_saved(
    tiny_bert: Any, masks_of: Callable[[BertShape], Masks], cuts: dict[str, Any], tmp_path: Path
) -> None:
    teacher = bert_shape(tiny_bert)
    weights = shrink(read_weights(tiny_bert), teacher, masks_of(teacher), **cuts)
    kind = {"id2label": {0: "no", 1: "yes"}, "problem_type": "single_label_classification"}
    network = slimbert.from_weights(weights, **kind, original=teacher)  # type: ignore[arg-type]
    shape = slimbert.shape_of(network.config)
    for batch, length in ((1, 5), (3, 16)):
        assert flops_by_torch(network, batch, length) == batch * count_flops(shape, length)
    slimbert.save_slim(network, tmp_path)
    saved = load_file(tmp_path / "model.safetensors").values()
    numbers, integers = ([array for array in saved if array.dtype.kind == kind] for kind in "fi")
    assert parameters_by_numel(network) == count_parameters(shape).total == sum(array.size for array in numbers)
    assert index_buffers(network) == (sum(a.size for a in integers), sum(a.nbytes for a in integers))
    assert sum(component_index_bytes(shape).values()) == index_buffers(network)[1]
    slim = network.slimbert
    by_module = {
        Component.WORDS: [slim.embeddings.words, slim.embeddings.projection],
        Component.POSITIONS: [slim.embeddings.positions],
        Component.SEGMENTS: [slim.embeddings.token_types, slim.embeddings.norm],
        Component.ATTENTION_LINEAR: [layer.attention for layer in slim.layers],
        Component.ATTENTION: [],
        Component.FFN: [layer.ffn for layer in slim.layers],
        Component.POOLER: [slim.pooler],
        Component.HEAD: [network.classifier],
    }
    assert component_parameters(shape) == {
        part: sum(tensor.numel() for module in modules if module for tensor in module.parameters())
        for part, modules in by_module.items()
    }
    assert component_flops(shape, 5)[Component.ATTENTION] * 9 == component_flops(shape, 15)[Component.ATTENTION]
    found = costs(shape, teacher.network())
    parts = found.parameters
    assert parts.total == parts.embeddings + parts.encoder + parts.pooler + parts.head
    assert found.total_density == parts.total / count_parameters(teacher.network()).total
    assert (found.flops.length, found.flops.total) == (FLOP_LENGTH, count_flops(shape, FLOP_LENGTH))


@pytest.mark.parametrize("wide", [{}, {"num_hidden_layers": 3, "hidden_size": 12, "num_attention_heads": 3}])
def test_plain_bert_is_counted_alike(make_bert: Callable[..., Any], wide: dict[str, int]) -> None:
    bert = make_bert(**wide, num_labels=1)
    shape = bert_shape(bert).network()
    assert flops_by_torch(bert, 2, 9) == 2 * count_flops(shape, 9)
    assert parameters_by_numel(bert) == parameters_by_numel(bert.half()) == count_parameters(shape).total
    assert index_buffers(bert) == (0, 0)
    whole = costs(shape, shape)
    assert (whole.total_density, whole.encoder_density, whole.flop_ratio) == (1, 1, 1)


def test_a_shared_tensor_counts_once() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(3, 3, bias=False)
            self.second = torch.nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight
            self.register_buffer("no_numbers", torch.zeros(0, dtype=torch.int32))

    assert parameters_by_numel(Tied()) == 9
    assert index_buffers(Tied()) == (0, 0)


def test_size_on_disk(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.json").write_bytes(b"12345")
    (tmp_path / "inner" / "b.json").write_bytes(b"123")
    assert size_on_disk(tmp_path) == 8
