"""The inverse against NumPy's; gradients of single examples against autograd's of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pruning.compress.sparse import fisher
from pruning.compress.sparse.fisher import BLOCK, Fisher, gradients, inverse_fisher
from pruning.compress.sparse.target import target_of
from pruning.importance.brain_surgeon import answer_score
from pruning.importance.gradients import drawn
from pruning.slimbert import dense_from_bert
from tests.factories.sparse_network import some_texts, total


def some_gradients(count: int, size: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(size, size, generator=generator)
    return scale * torch.randn(count, size, generator=generator) @ mixed


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e3])
@pytest.mark.parametrize(("size", "block"), [(12, 12), (20, 8), (7, 50)])
def test_the_inverse_is_numpys(size: int, block: int, scale: float) -> None:
    found, damping = some_gradients(60, size, scale), 0.1 * scale**2
    information = Fisher(size, damping, len(found), block=block)
    for part in found.split(16):
        information.add(part)
    inverse = information.inverse()
    whole = damping * np.eye(size) + found.double().numpy().T @ found.double().numpy() / len(found)
    for number, start in enumerate(range(0, size, block)):
        own = whole[start : start + block, start : start + block]
        expected = np.linalg.inv(own)
        width = len(own)
        assert np.allclose(inverse.blocks[number, :width, :width], expected, rtol=2e-3, atol=1e-4 * expected.max())
        filled = inverse.blocks[number, width:, width:]
        assert torch.allclose(filled, torch.eye(len(filled)) / damping)


def test_one_by_one_or_together_and_blocks_that_feel_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fisher, "PIECE", 2)
    found = some_gradients(20, 40)
    found[:, 8:16] = 0.0
    found[:10, 24:] = 0.0
    singly, together = (Fisher(40, 0.5, 20, block=8) for _ in range(2))
    for row in found:
        singly.add(row[None])
    together.add(found[:13])
    together.add(found[13:])
    one, some = singly.inverse(), together.inverse()
    assert torch.allclose(one.blocks, some.blocks, rtol=1e-3, atol=1e-5)
    assert torch.equal(one.blocks[1], torch.eye(8) / 0.5)


def test_gradients_are_of_single_examples_and_none_at_zeros(tiny_bert: Any) -> None:
    network, texts = dense_from_bert(tiny_bert), some_texts(20)
    target = target_of(network, total(0.5))
    name = next(iter(target.encoder))
    with torch.no_grad():
        target.encoder[name].weight[2, :3] = 0.0
    batches = list(gradients(network, target.matrices, texts))
    assert [len(batch[name]) for batch in batches] == [16, 4]
    found = torch.cat([batch[name] for batch in batches])
    generator = torch.Generator().manual_seed(0)
    for row, example in zip(found, drawn(texts.encoded, 0).tolist(), strict=True):
        ids = torch.from_numpy(texts.encoded.input_ids[example].astype(np.int64))[None]
        network.zero_grad()
        answer_score(network(input_ids=ids).logits, False, generator).sum().backward()
        expected = target.encoder[name].weight.grad
        assert expected is not None
        expected[2, :3] = 0.0
        torch.testing.assert_close(row.view(expected.shape), expected, atol=1e-6, rtol=1e-4)
    assert found.abs().max() > 1e-4


def test_a_networks_inverse_is_that_of_its_gradients(tiny_bert: Any) -> None:
    network, texts = dense_from_bert(tiny_bert), some_texts(20)
    target = target_of(network, total(0.5))
    found = inverse_fisher(network, target.matrices, texts, 1e-2)
    rows = {name: torch.cat([b[name] for b in gradients(network, target.matrices, texts)]) for name in found}
    for name, inverse in found.items():
        own = rows[name][:, :BLOCK].double().numpy()
        width = own.shape[1]
        expected = np.linalg.inv(1e-2 * np.eye(width) + own.T @ own / len(own))
        assert np.allclose(inverse.blocks[0, :width, :width], expected, rtol=1e-3, atol=1e-2), name
