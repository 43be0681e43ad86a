"""What is compiled is compiled once, for batches and lengths of any size, and answers as torch does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch._dynamo import testing
from torch._inductor import config

from pruning import slimbert
from pruning.measure.latency import using_threads
from pruning.measure.network import Network
from pruning.measure.speed import made_up
from pruning.runtimes.registry import RUNTIMES


# torch's own, of a module that compiling imports.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler, and there is no g++")
def test_one_graph_for_all_sizes(make_bert: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "compile_threads", 1)  # no processes that outlive the test
    compile_with, counter = torch.compile, testing.CompileCounterWithBackend("inductor")
    monkeypatch.setattr(torch, "compile", lambda *models, **said: compile_with(*models, backend=counter, **said))
    model = slimbert.dense_from_bert(make_bert(seed=4, num_hidden_layers=1))
    network = Network(model, None, 32)
    runs = RUNTIMES["compiled"].opened(network, 1)
    compiled = counter.frame_count
    assert compiled >= 1
    with using_threads(1), torch.inference_mode():
        for batch, length in ((2, 8), (3, 5), (4, 17), (7, 31)):
            inputs = made_up(network, batch, length)
            torch.testing.assert_close(runs(inputs)(), model(**inputs).logits, atol=1e-4, rtol=0)
            assert counter.frame_count == compiled, (batch, length)
