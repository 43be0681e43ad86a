"""Counting agrees with torch's counter and with what is saved; timing goes in turns; logits come in order."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pruning import slimbert
from pruning.bert.counts import count_flops, count_parameters
from pruning.bert.model import bert_shape, read_weights
from pruning.bert.shapes import LAYER_SITES, BertShape, Masks, Site
from pruning.compress.shrink import shrink
from pruning.data.examples import Examples
from pruning.errors import DataError, MeasureError, Stopped
from pruning.measure import networks as measure
from pruning.measure.latency import TIMING_LOCK, latency, summary
from pruning.measure.speed import speed_table

ROOT = Path(__file__).resolve().parents[3]


def random_masks(shape: BertShape, seed: int, keep: float = 0.6) -> Masks:
    generator = np.random.default_rng(seed)
    return Masks(**{site.value: generator.random(shape.units(site)) < keep for site in Site})


def slim_network(bert: Any, masks: Masks, **cuts: Any) -> Any:
    shape = bert_shape(bert)
    weights = shrink(read_weights(bert), shape, masks, **cuts)
    return slimbert.from_weights(
        weights, id2label={0: "no", 1: "yes"}, problem_type="single_label_classification", original=shape
    )


def first_layer_without(shape: BertShape, site: Site) -> Masks:
    masks = Masks.full(shape)
    mask = masks[site].copy()
    mask[0] = False
    return masks.with_site(site, mask)


# A name, the masks, and what else is cut.
SLIM: list[tuple[str, Callable[[BertShape], Masks], dict[str, Any]]] = [
    ("dense", Masks.full, {}),
    ("random", lambda shape: random_masks(shape, 1), {}),
    ("sparse", lambda shape: random_masks(shape, 2, 0.25), {}),
    ("nothing", lambda shape: Masks.full(shape, False), {}),
    ("no heads", lambda shape: first_layer_without(shape, Site.ATTENTION_CONTEXT), {}),
    ("no FFN", lambda shape: first_layer_without(shape, Site.FFN_HIDDEN), {}),
    ("rank", lambda shape: random_masks(shape, 3), {"rank": 3, "pieces": np.arange(20), "positions": 16}),
    ("pooler", Masks.full, {"pooler": np.arange(8) < 3}),
]


@pytest.mark.parametrize(("masks_of", "cuts"), [case[1:] for case in SLIM], ids=[case[0] for case in SLIM])
def test_counted_flops_and_parameters_are_torchs_own(
    tiny_bert: Any, tiny_shape: BertShape, masks_of: Callable[[BertShape], Masks], cuts: dict[str, Any], tmp_path: Path
) -> None:
    network = slim_network(tiny_bert, masks_of(tiny_shape), **cuts)
    shape = slimbert.shape_of(network.config)
    for batch, length in ((1, 5), (3, 16)):
        assert measure.flops(network, batch, length) == batch * count_flops(shape, length)
    assert measure.parameters_by_numel(network) == count_parameters(shape).total
    slimbert.save_slim(network, tmp_path)
    saved = load_file(tmp_path / "model.safetensors").values()
    assert sum(array.size for array in saved if array.dtype.kind == "f") == count_parameters(shape).total
    integers = [array for array in saved if array.dtype.kind == "i"]
    expected = (sum(array.size for array in integers), sum(array.nbytes for array in integers))
    assert measure.index_buffers(network) == expected


def test_flops_of_plain_bert(make_bert: Callable[..., Any]) -> None:
    for settings in ({}, {"num_hidden_layers": 3, "hidden_size": 12, "num_attention_heads": 3, "num_labels": 1}):
        bert = make_bert(**settings)
        shape = bert_shape(bert).network()
        assert measure.flops(bert, 2, 9) == 2 * count_flops(shape, 9)
        assert measure.parameters_by_numel(bert) == count_parameters(shape).total
        assert measure.index_buffers(bert) == (0, 0)


def test_reads_are_counted_beside_the_parameters(tiny_bert: Any, tiny_shape: BertShape) -> None:
    masks = Masks.full(tiny_shape)
    for site in LAYER_SITES:
        if site in (Site.ATTENTION_INPUT, Site.FFN_INPUT):
            masks = masks.with_site(site, np.tile(np.arange(8) < 5, (2, 1)))
    buffers, size = measure.index_buffers(slim_network(tiny_bert, masks))
    assert (buffers, size) == (4 * 5, 4 * 5 * 4)


def test_a_shared_tensor_counts_once() -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Linear(3, 3, bias=False)
            self.second = torch.nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight
            self.register_buffer("no_numbers", torch.zeros(0, dtype=torch.int32))

    assert measure.parameters_by_numel(Tied()) == 9
    assert measure.index_buffers(Tied()) == (0, 0)


# Logits


def test_logits_come_in_the_examples_order(tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples) -> None:
    done: list[tuple[int, int]] = []
    logits = measure.predict_logits(
        tiny_bert, tiny_tokenizer, tiny_examples, batch_size=4, progress=lambda *step: done.append(step)
    )
    assert logits.shape == (22, 2)
    assert logits.dtype == np.float32
    for row, text in enumerate(tiny_examples.texts):
        inputs = tiny_tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        with torch.inference_mode():
            expected = tiny_bert(**inputs).logits.numpy()[0]
        np.testing.assert_allclose(logits[row], expected, atol=1e-5)
    assert done == [(4, 22), (8, 22), (12, 22), (16, 22), (20, 22), (22, 22)]
    again = measure.predict_logits(tiny_bert, tiny_tokenizer, tiny_examples, batch_size=4)
    np.testing.assert_array_equal(again, logits)


def test_pairs_and_slim_networks_answer_too(tiny_bert: Any, tiny_tokenizer: Any, tiny_pairs: Examples) -> None:
    dense = measure.predict_logits(tiny_bert, tiny_tokenizer, tiny_pairs)
    slim = measure.predict_logits(slimbert.dense_from_bert(tiny_bert), tiny_tokenizer, tiny_pairs)
    np.testing.assert_allclose(slim, dense, atol=1e-5)


def test_texts_longer_than_the_positions_are_cut(tiny_bert: Any, tiny_tokenizer: Any) -> None:
    long = Examples(("good " * 500,), None, np.zeros(1, dtype=np.int64), "one long text")
    assert measure.predict_logits(tiny_bert, tiny_tokenizer, long, max_length=128).shape == (1, 2)


def test_stopping_and_nothing_to_do(tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples) -> None:
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(Stopped, match="stopped after 8 of 22 examples"):
        measure.predict_logits(tiny_bert, tiny_tokenizer, tiny_examples, batch_size=4, should_stop=should_stop)
    with pytest.raises(DataError, match="no examples"):
        measure.predict_logits(tiny_bert, tiny_tokenizer, tiny_examples.take([]))


def test_tokens_per_text(tiny_tokenizer: Any) -> None:
    texts = Examples(("good", "good film", "a b c d"), None, np.zeros(3, dtype=np.int64), "three")
    assert measure.tokens_per_text(tiny_tokenizer, texts, 128) == ((3 + 4 + 6) / 3, 0.0)
    assert measure.tokens_per_text(tiny_tokenizer, texts, 5) == ((3 + 4 + 5) / 3, 1 / 3)


# Timing


def test_networks_are_timed_in_turns() -> None:
    order: list[str] = []
    timed = {name: (lambda name=name: order.append(name)) for name in "ABC"}
    taken = latency(timed, runs=4, warmup=2)
    assert "".join(order) == "ABC" * 6
    assert list(taken) == ["A", "B", "C"]
    assert all(value.runs == 4 and value.median_ms >= 0 for value in taken.values())


def test_the_slower_network_takes_longer(tiny_bert: Any, tiny_inputs: dict[str, Any]) -> None:
    taken = latency({"sleeps": lambda: time.sleep(0.02), "bert": (tiny_bert, tiny_inputs)}, runs=5, warmup=1)
    assert taken["sleeps"].median_ms >= 20
    assert taken["sleeps"].p95_ms >= taken["sleeps"].median_ms


def test_median_and_95th_percentile() -> None:
    value = summary([0.001 * n for n in range(1, 101)])
    assert value.median_ms == pytest.approx(50.5)
    assert value.p95_ms == pytest.approx(95.05)
    assert value.runs == 100


def test_timing_holds_the_lock_and_the_threads_and_gives_them_back() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[bool, int, bool]] = []

    def look() -> None:
        other: list[bool] = []

        def attempt() -> None:
            other.append(TIMING_LOCK.acquire(blocking=False))
            if other[0]:
                TIMING_LOCK.release()

        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
        seen.append((other[0], torch.get_num_threads(), torch.is_inference_mode_enabled()))

    latency({"A": look}, runs=1, warmup=0, threads=before + 1)
    with TIMING_LOCK:  # whoever holds it already may time
        latency({"A": look}, runs=1, warmup=0, threads=before + 1)
    assert seen == [(False, before + 1, True)] * 2
    assert torch.get_num_threads() == before
    with pytest.raises(MeasureError, match="threads 0: expected at least 1"):
        latency({"A": look}, threads=0)
    with pytest.raises(ZeroDivisionError):
        latency({"A": lambda: 1 // 0}, threads=before + 1)
    assert torch.get_num_threads() == before
    assert TIMING_LOCK.acquire(blocking=False)
    TIMING_LOCK.release()


def test_time_and_stopping_end_a_timing() -> None:
    assert latency({"A": lambda: time.sleep(0.01)}, runs=1000, warmup=0, seconds=0.02)["A"].runs == 5
    stops = iter([False, False, True])
    with pytest.raises(Stopped, match="stopped after 2 of 9 timed rounds"):
        latency({"A": lambda: None}, runs=9, should_stop=lambda: next(stops))
    with pytest.raises(MeasureError, match="expected at least one of each"):
        latency({})


def test_speed_table(tiny_bert: Any, tiny_tokenizer: Any, tiny_examples: Examples, tiny_shape: BertShape) -> None:
    slim = slim_network(tiny_bert, random_masks(tiny_shape, 1))
    networks = {"teacher": (tiny_bert, tiny_tokenizer), "slim-50": (slim, tiny_tokenizer)}
    calls: list[tuple[int, tuple[int, ...], bool]] = []
    for index, network in enumerate((tiny_bert, slim)):

        def note(_: Any, arguments: tuple, inputs: dict[str, Any], index: int = index) -> None:
            is_full = bool((inputs["attention_mask"] == 1).all())
            calls.append((index, tuple(inputs["input_ids"].shape), is_full))

        network.register_forward_pre_hook(note, with_kwargs=True)
    steps: list[tuple[int, int, str]] = []
    rows = speed_table(
        networks,
        tiny_examples,
        lengths=(4, 8, 64),
        batches=(1, 3),
        runs=3,
        warmup=1,
        threads=1,
        progress=lambda *step: steps.append(step),
    )
    # 64 is above the 32 positions: left out
    cells = [(1, 4), (1, 8), (3, 4), (3, 8), (1, "real"), (3, "real")]
    assert [(row["batch"], row["length"], row["variant"]) for row in rows] == [
        (*cell, variant) for cell in cells for variant in networks
    ]
    for teacher, own in zip(rows[::2], rows[1::2], strict=True):
        assert teacher["speedup"] == 1.0
        assert own["speedup"] == teacher["median_ms"] / own["median_ms"]
        assert own["runs"] == 3
        assert (own["threads"], own["device"]) == (1, "cpu")
    assert [call[0] for call in calls] == [0, 1] * (len(calls) // 2)
    made_up = [call[1:] for call in calls[: 4 * 8 : 8]]
    assert made_up == [((1, 4), True), ((1, 8), True), ((3, 4), True), ((3, 8), True)]
    single = [
        shape for _, shape, is_full in calls[32:40:2] if is_full
    ]  # a warm-up, then three texts of their own length
    assert single == [(1, 3), (1, 3), (1, 4), (1, 5)]
    assert {shape[0] for _, shape, _ in calls[40:]} == {3}
    assert not all(is_full for _, _, is_full in calls[40:])
    assert [step[:2] for step in steps] == [(done, 6) for done in range(7)]
    json.dumps(rows)


def test_speed_table_needs_a_teacher_and_can_be_stopped(tiny_bert: Any, tiny_tokenizer: Any) -> None:
    with pytest.raises(MeasureError, match="no 'teacher' among slim-10"):
        speed_table({"slim-10": (tiny_bert, tiny_tokenizer)})
    answers = iter([False] * 3 + [True])
    rows = speed_table(
        {"teacher": (tiny_bert, tiny_tokenizer)}, lengths=(4, 8), runs=2, should_stop=lambda: next(answers)
    )
    assert [(row["batch"], row["length"]) for row in rows] == [(1, 4)]


# Memory, size, int8, devices, environment


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory on the CPU is read from Linux's /proc")
def test_peak_memory_grows_with_the_network(make_bert: Callable[..., Any]) -> None:
    large = make_bert(vocab_size=200_000, hidden_size=64)  # 51 MB of words
    peak = measure.peak_memory(large, None, 16, batch=2)
    assert peak is not None
    assert 50e6 < peak < 400e6


def test_peak_memory_says_why_it_cannot_be_had(tiny_bert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(MeasureError, match="peak memory: the process that measures it failed"):
        measure.peak_memory(tiny_bert)


def test_size_on_disk(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.json").write_bytes(b"12345")
    (tmp_path / "inner" / "b.json").write_bytes(b"123")
    assert measure.size_on_disk(tmp_path) == 8


def test_dynamic_int8_answers_almost_alike(
    make_bert: Callable[..., Any], tiny_tokenizer: Any, tiny_examples: Examples
) -> None:
    bert = make_bert(hidden_size=32, num_attention_heads=4, intermediate_size=64)
    before = measure.predict_logits(bert, tiny_tokenizer, tiny_examples)
    int8 = measure.dynamic_int8(bert)
    np.testing.assert_allclose(measure.predict_logits(int8, tiny_tokenizer, tiny_examples), before, atol=0.2)
    assert not any(type(module) is torch.nn.Linear for module in int8.modules())
    np.testing.assert_array_equal(measure.predict_logits(bert, tiny_tokenizer, tiny_examples), before)


def test_devices_come_with_the_reason_where_they_are_missing() -> None:
    found = {device.name: device for device in measure.devices()}
    assert found["cpu"].available
    assert ("cuda:0" in found) == torch.cuda.is_available()
    for device in found.values():
        assert device.available == (device.reason is None)
        assert device.title


def test_environment_names_no_host_and_no_path() -> None:
    import getpass
    import platform

    found = measure.environment()
    text = json.dumps(found)
    assert found["libraries"]["torch"] == torch.__version__
    assert {"hardware", "threads", "libraries", "platform", "python", "cores", "gpus"} == set(found)
    assert "core" in found["hardware"]
    for secret in (platform.node(), str(Path.home()), str(ROOT), sys.prefix):
        assert not secret or secret not in text
    assert f"/{getpass.getuser()}" not in text


def test_taking_the_lock_imports_no_torch() -> None:
    code = "import sys; from pruning.measure.networks import TIMING_LOCK; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_moving_a_network_keeps_its_counts(tiny_bert: Any, tiny_shape: BertShape) -> None:
    more = replace(tiny_shape, labels=5)
    assert count_parameters(more.network()).head == 5 * (8 + 1)
    assert measure.parameters_by_numel(tiny_bert.half()) == count_parameters(tiny_shape.network()).total
