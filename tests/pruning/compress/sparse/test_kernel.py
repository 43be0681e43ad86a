"""torch's sparse kernel answers as the dense one does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from pruning.compress.sparse import kernel
from pruning.compress.sparse.kernel import with_sparse_kernel
from pruning.compress.sparse.magnitude import Magnitude
from pruning.compress.sparse.target import target_of
from pruning.errors import MeasureError
from pruning.slimbert import dense_from_bert, encoder_linears
from tests.factories.sparse_network import encoder


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])  # the second is what networks are timed in
@pytest.mark.parametrize("density", [0.45, 0.2])
def test_logits_are_the_dense_networks(
    tiny_bert: Any, tiny_inputs: dict[str, Any], density: float, mode: Callable[[], Any]
) -> None:
    network = dense_from_bert(tiny_bert)
    target = target_of(network, encoder(0.5))
    Magnitude("uniform").prune(network, target, density)
    found = with_sparse_kernel(network)
    layouts = {linear.weight.layout for linear in encoder_linears(found).values()}
    assert layouts == {torch.sparse_csr}
    with mode():
        torch.testing.assert_close(found(**tiny_inputs).logits, network(**tiny_inputs).logits, atol=1e-4, rtol=0)
    assert {linear.weight.layout for linear in encoder_linears(network).values()} == {torch.strided}


def test_matrices_that_are_hardly_sparse_stay_dense(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    network = dense_from_bert(tiny_bert)
    found = with_sparse_kernel(network)
    assert {linear.weight.layout for linear in encoder_linears(found).values()} == {torch.strided}
    assert torch.equal(found(**tiny_inputs).logits, network(**tiny_inputs).logits)


def test_where_there_is_no_kernel_it_says_so(tiny_bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("no kernel\nfor this")

    monkeypatch.setattr(kernel.nn.functional, "linear", broken)
    with pytest.raises(MeasureError, match=r"^sparse kernel: torch \S+ has none here \(no kernel\)$"):
        kernel._compressed(torch.zeros(2, 2))
