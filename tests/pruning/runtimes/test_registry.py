"""Every runtime answers as torch does, to what its numbers hold, and says in a line why it cannot be had."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from pruning.errors import MeasureError
from pruning.export import Trial
from pruning.measure.speed import real_texts
from pruning.runtimes import torch_bfloat16
from pruning.runtimes.registry import REFERENCE, RUNTIMES

# Largest difference of a logit, which are about 1 here.
BOUNDS = {"torch": 1e-6, "compiled": 1e-4, "bfloat16": 0.1, "onnx": 1e-4, "onnx-int8": 0.3}


def test_the_reference_comes_first() -> None:
    assert next(iter(RUNTIMES.values())) is REFERENCE
    assert RUNTIMES.keys() == BOUNDS.keys()
    assert [runtime.name for runtime in RUNTIMES.values()] == list(RUNTIMES)


@pytest.mark.parametrize("name", [name for name in BOUNDS if name != "compiled"])
def test_it_answers_as_torch(name: str, networks: dict[Any, Any], trial: Trial) -> None:
    runtime = RUNTIMES[name]
    if runtime.missing() is not None:
        pytest.skip(str(runtime.missing()))
    for network in networks.values():
        before = {key: value.clone() for key, value in network.model.state_dict().items()}
        runs, again = (runtime.opened(network, threads) for threads in (1, 2))
        for inputs in real_texts(network, trial.examples, 4, 3):
            with torch.inference_mode():
                expected = network.model(**inputs).logits
                for opened in (runs, again):
                    found = torch.as_tensor(opened(inputs)()).float()
                    torch.testing.assert_close(found, expected, atol=BOUNDS[name], rtol=0)
        assert all(torch.equal(value, before[key]) for key, value in network.model.state_dict().items())


def test_bfloat16_is_bfloat16(networks: dict[Any, Any], trial: Trial) -> None:
    for network in networks.values():
        (inputs,) = real_texts(network, trial.examples, 4, 1)
        with torch.inference_mode():
            assert RUNTIMES["bfloat16"].opened(network, 1)(inputs)().dtype == torch.bfloat16


def test_a_processor_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"avx2": True, "avx512_bf16": True, "amx_bf16": False, "cpu_name": "one"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: there)
    assert torch_bfloat16.instructions() == ("avx512_bf16",)
    assert RUNTIMES["bfloat16"].missing() is None
    there["avx512_bf16"] = False
    assert str(RUNTIMES["bfloat16"].missing()).endswith("finds no instructions for it on this processor")


def test_without_onnxruntime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    for name in ("onnx", "onnx-int8"):
        assert str(RUNTIMES[name].missing()).endswith("expected pip install -r requirements-onnx.txt")


def test_what_cannot_be_compiled_is_one_line(networks: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(model: Any, **settings: Any) -> Any:
        assert settings == {"dynamic": True, "fullgraph": True}

        def fails(**inputs: Any) -> None:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCH_LOGS for more")

        return fails

    monkeypatch.setattr(torch, "compile", compiled)
    with pytest.raises(MeasureError) as caught:
        RUNTIMES["compiled"].opened(next(iter(networks.values())), 1)
    assert str(caught.value) == (
        "torch.compile: fails here (InvalidCxxCompiler: No working C++ compiler found), expected a C++ compiler"
    )
