"""Networks answer alike in torch and in ONNX Runtime, where that is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pruning.errors import ConfigError, MeasureError
from pruning.study import Study
from pruning.variants import INT8, TEACHER, slim
from slimviz.live import runtimes as module
from slimviz.live.answers import predict
from slimviz.live.networks import Network, _export, load_network, load_networks
from slimviz.live.run import LiveRun, RunSettings
from slimviz.live.runtimes import RUNTIMES, ExportedModel, runtimes
from tests.factories.tiny_study import BUDGET

BOTH = (TEACHER, slim(BUDGET))


@pytest.fixture(autouse=True)
def no_graph_cached() -> None:
    _export.clear()


def test_runtimes_are_offered_on_the_cpu_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtimes("cpu") == (list(RUNTIMES.values()), None)
    offered, reason = runtimes("cuda:0")
    assert [runtime.name for runtime in offered] == ["torch"]
    assert "on the CPU alone" in str(reason)
    monkeypatch.setattr(module, "find_spec", lambda package: None if package == "onnxruntime" else object())
    offered, reason = runtimes("cpu")
    assert [runtime.name for runtime in offered] == ["torch"]
    assert str(reason).endswith("pip install -r requirements-onnx.txt")


@pytest.mark.parametrize("name", ["sst2", "mrpc", "stsb", "mnli"])
def test_answers_are_those_of_torch(study: Callable[[str], Study], name: str) -> None:
    text = ("a warm film", "a cold film") if study(name).task.is_pair else ("a warm film",)
    expected = predict(load_networks(study(name), BOTH)[0], *text)
    for runtime, tolerance in (("onnx", 1e-5), ("onnx-int8", 0.2)):
        networks, problems = load_networks(study(name), BOTH, runtime=runtime)
        assert not problems
        answers = predict(networks, *text)
        assert [answer.runtime for answer in answers] == [runtime, runtime]
        assert isinstance(networks[0].model, ExportedModel)
        for answer, other in zip(answers, expected, strict=True):
            assert other.runtime == "torch"
            assert answer.pieces == other.pieces
            own = answer.probabilities or (answer.score,)
            assert np.allclose(own, other.probabilities or (other.score,), atol=tolerance)  # type: ignore[arg-type]


def test_a_graph_is_written_once_for_each_network_and_precision(
    study: Callable[[str], Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study("sst2")
    first = load_network(one, TEACHER, runtime="onnx")
    assert load_network(one, TEACHER, runtime="onnx").model is first.model
    assert load_network(one, TEACHER, runtime="onnx-int8").model is not first.model
    assert load_network(one, slim(BUDGET), runtime="onnx").model is not first.model


def test_threads_do_not_spin(networks: Callable[[str], list[Network]], monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    found: list[onnxruntime.SessionOptions] = []
    session = onnxruntime.InferenceSession

    def recorded(model: bytes, options: onnxruntime.SessionOptions, **named: Any) -> onnxruntime.InferenceSession:
        found.append(options)
        return session(model, options, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", recorded)
    ExportedModel(networks("sst2")[0].model, INT8, 2)
    assert found[0].get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert found[0].intra_op_num_threads == 2


def test_a_run_says_what_it_computed_with(study: Callable[[str], Study]) -> None:
    import onnxruntime

    networks, _ = load_networks(study("sst2"), BOTH, runtime="onnx-int8")
    run = LiveRun(study("sst2"), networks, None, RunSettings(2, 16), "validation")
    list(run.steps())
    rows = run.rows()
    assert [row["runtime"] for row in rows] == ["onnx-int8", "onnx-int8"]
    assert rows[0]["onnxruntime"] == onnxruntime.__version__
    assert all(row["median_ms"] > 0 for row in rows)
    plain = LiveRun(study("sst2"), load_networks(study("sst2"), BOTH)[0], None, RunSettings(1, 16), "validation")
    next(plain.steps())
    assert [(row["runtime"], row["onnxruntime"]) for row in plain.rows()] == [("torch", None)] * 2


def test_what_cannot_be_written_is_said(
    study: Callable[[str], Study], networks: Callable[[str], list[Network]], monkeypatch: pytest.MonkeyPatch
) -> None:
    slim_model = networks("sst2")[1].model
    monkeypatch.setattr(slim_model.config, "hidden_act", "mish")
    loaded, problems = load_networks(study("sst2"), BOTH, runtime="onnx")
    assert [network.variant for network in loaded] == [TEACHER]
    assert "mish" in problems[slim(BUDGET)]
    with pytest.raises(MeasureError, match="mish"):
        ExportedModel(slim_model, INT8, 1)
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"pip install -r requirements-onnx\.txt"):
        ExportedModel(slim_model, INT8, 1)
