"""Attributions against what they must add up to, against direct recomputation, and beside others at work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from pruning.errors import MeasureError
from pruning.measure.answers import probabilities
from pruning.measure.components import word_embedder
from pruning.variants import TEACHER, slim
from slimviz.frames.attributions import Reading
from slimviz.live import attributions
from slimviz.live.answers import predict
from slimviz.live.attributions import BATCH_TOKENS, Explanation, explain, log_odds
from slimviz.live.networks import Network
from tests.factories.tiny_study import BUDGET

Networks = Callable[[str], list[Network]]
CASES = [
    ("sst2", 1, ("The film isn't good, warm!",)),
    ("stsb", None, ("the dog runs", "a very cold dog")),
    ("mnli", 2, ("the dog runs", "a dog runs, and runs")),
]
FINE = 256  # steps: weights as large as a tiny network's make a rough path


def answer_of(network: Network, label: int | None, ids: list[int], types: list[int]) -> float:
    """What is explained, by the plainest way there is."""
    import torch

    with torch.no_grad():
        logits = network.model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).logits
    if label is None:
        return float(logits[0, 0])
    share = probabilities(logits.double().numpy())[0, label]
    return float(np.log(share / (1 - share)))


def blotted(network: Network, texts: tuple[str, ...], keep: Callable[[int, int], bool]) -> tuple[list[int], list[int]]:
    """A text's ids and segments, with [MASK] for each piece that is not kept; `keep` gets field and first character."""
    encoding = network.tokenizer(*texts).encodings[0]
    rows = zip(encoding.ids, encoding.sequence_ids, encoding.offsets, strict=True)
    mask = network.tokenizer.mask_token_id
    ids = [number if field is None or keep(field, start) else mask for number, field, (start, _) in rows]
    return ids, encoding.type_ids


@pytest.mark.parametrize(("task", "label", "texts"), CASES)
def test_words_add_up_to_the_difference_to_the_baseline(
    networks: Networks, task: str, label: int | None, texts: tuple[str, ...]
) -> None:
    both = networks(task)
    found = explain(both, label, *texts, steps=FINE)
    assert list(found.readings) == [TEACHER, slim(BUDGET)]
    assert (found.blank, found.steps) == ("[MASK]", FINE)
    for network, reading in zip(both, found.readings.values(), strict=True):
        assert reading.value == pytest.approx(
            answer_of(network, label, *blotted(network, texts, lambda *_: True)), abs=1e-4
        )
        assert reading.baseline == pytest.approx(
            answer_of(network, label, *blotted(network, texts, lambda *_: False)), abs=1e-4
        )
        assert abs(reading.difference) > 0.01
        assert reading.integrated.sum() == pytest.approx(reading.difference, abs=0.01)
        assert reading.error == pytest.approx(reading.integrated.sum() - reading.value + reading.baseline)


@pytest.mark.parametrize(("task", "label", "texts"), CASES)
def test_a_word_left_out_is_the_word_masked(
    networks: Networks, task: str, label: int | None, texts: tuple[str, ...]
) -> None:
    both = networks(task)
    found = explain(both, label, *texts, steps=2)
    assert len(found.words) > 5
    for network, reading in zip(both, found.readings.values(), strict=True):
        for number, word in enumerate(found.words):

            def is_other(field: int, start: int, word: Any = word) -> bool:
                return field != word.field or not word.start <= start < word.end

            without = answer_of(network, label, *blotted(network, texts, is_other))
            assert reading.left_out[number] == pytest.approx(reading.value - without, abs=1e-4)


def test_pieces_are_added_up_to_words_and_nothing_is_lost(networks: Networks) -> None:
    import torch
    from captum.attr import IntegratedGradients

    text = "the filming isn't cold"
    for network in networks("sst2"):
        reading = explain([network], 0, text, steps=8).readings[network.variant]
        ids, types = (torch.tensor([found]) for found in blotted(network, (text,), lambda *_: True))
        blank = torch.tensor([blotted(network, (text,), lambda *_: False)[0]])
        embed = word_embedder(network.model)

        def answer(rows: Any, network: Network = network, types: Any = types) -> Any:
            logits = network.model(inputs_embeds=rows, token_type_ids=types.expand(len(rows), -1)).logits
            return logits[:, 0] - logits[:, 1]

        tokens = IntegratedGradients(answer).attribute(embed(ids), embed(blank), n_steps=8).sum(-1)[0].detach()
        assert [len(part) for part in reading.pieces] == [1, 4, 4, 1]
        wanted = [tokens[1], tokens[2:6].sum(), tokens[6:10].sum(), tokens[10]]
        assert reading.integrated == pytest.approx([float(value) for value in wanted], abs=1e-4)
        assert float(tokens[0]) == float(tokens[-1]) == 0  # the marks are in the baseline as well


def test_a_linear_network_is_explained_exactly(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    network = networks("sst2")[1]
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(len(network.tokenizer), 6, generator=generator)
    weights = torch.randn(6, 2, generator=generator)

    class Linear(nn.Module):
        def forward(self, input_ids: Any = None, inputs_embeds: Any = None, token_type_ids: Any = None) -> Any:
            assert token_type_ids is not None
            rows = table[input_ids] if inputs_embeds is None else inputs_embeds
            return type("Output", (), {"logits": rows.sum(1) @ weights})

    monkeypatch.setattr("pruning.measure.components.word_embedder", lambda _: lambda ids: table[ids])
    linear = Network(Linear(), network.tokenizer, network.max_length, "cpu", network.variant)
    reading = explain([linear], 1, "the film is good", steps=1).readings[network.variant]
    ids, _ = blotted(network, ("the film is good",), lambda *_: True)
    effect = (table - table[network.tokenizer.mask_token_id]) @ (weights[:, 1] - weights[:, 0])
    wanted = [float(effect[number]) for number in ids[1:-1]]
    assert reading.integrated == pytest.approx(wanted, abs=1e-5)
    assert reading.left_out == pytest.approx(wanted, abs=1e-5)


def test_log_odds_are_of_one_label_against_all_others() -> None:
    import torch

    logits = torch.tensor([[0.3, -1.0, 2.0], [5.0, 5.0, 5.0]])
    shares = probabilities(logits.numpy())
    for label in range(3):
        wanted = np.log(shares[:, label] / (1 - shares[:, label]))
        assert log_odds(logits, label).numpy() == pytest.approx(wanted, abs=1e-5)
        assert log_odds(logits + 7, label).numpy() == pytest.approx(wanted, abs=1e-5)
    assert log_odds(torch.tensor([[1.5]]), None).tolist() == [1.5]


def values(found: Explanation) -> list[Any]:
    return [(reading.integrated.tolist(), reading.left_out.tolist()) for reading in found.readings.values()]


def test_sessions_side_by_side_get_what_each_gets_alone(networks: Networks) -> None:
    both = networks("sst2")
    texts = ("the film is good", "a cold soup", "not very warm, is it", "bad", "the dog runs and runs and runs")
    alone = {text: values(explain(both, 1, text)) for text in texts}
    answers = {text: [answer.probabilities for answer in predict(both, text)] for text in texts}
    start = threading.Barrier(4)

    def explain_all() -> list[Any]:
        start.wait()
        return [values(explain(both, 1, text)) for _ in range(3) for text in texts]

    def ask_all() -> list[Any]:
        start.wait()
        return [[answer.probabilities for answer in predict(both, text)] for _ in range(3) for text in texts]

    with ThreadPoolExecutor(4) as pool:
        explained = [pool.submit(explain_all) for _ in range(2)]
        asked = [pool.submit(ask_all) for _ in range(2)]
        assert [future.result(timeout=120) for future in explained] == [[alone[text] for text in texts] * 3] * 2
        assert [future.result(timeout=120) for future in asked] == [[answers[text] for text in texts] * 3] * 2


def test_nothing_is_left_on_the_networks(networks: Networks) -> None:
    both = networks("mnli")
    assert any(parameter.requires_grad for network in both for parameter in network.model.parameters())
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    before = [{name: value.clone() for name, value in network.model.state_dict().items()} for network in both]
    explain(both, 0, "the dog runs", "a dog runs")
    for network, state in zip(both, before, strict=True):
        assert all(parameter.grad is None for parameter in network.model.parameters())
        assert not any(getattr(module, kind) for module in network.model.modules() for kind in hooks)
        assert not any(module.training for module in network.model.modules())
        assert all((value == state[name]).all() for name, value in network.model.state_dict().items())


def test_the_lock_is_held_while_computing_and_free_in_between(
    networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure.latency import TIMING_LOCK

    both = networks("sst2")
    seen: list[bool] = []
    for network in both:
        call = network.model.forward

        def watched(*arguments: Any, call: Any = call, **named: Any) -> Any:
            seen.append(TIMING_LOCK._is_owned())  # type: ignore[attr-defined]
            return call(*arguments, **named)

        monkeypatch.setattr(network.model, "forward", watched)
    monkeypatch.setattr(attributions, "BATCH_TOKENS", 12)
    told: list[float] = []

    def progress(share: float) -> None:
        assert not TIMING_LOCK._is_owned()  # type: ignore[attr-defined]
        told.append(share)

    explain(both, 1, "the film is good", steps=4, progress=progress)
    assert len(seen) > 8
    assert all(seen)
    assert told == [0, 0.25, 0.5, 0.75]


def test_batches_do_not_change_the_result(networks: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    both = networks("sst2")
    whole = explain(both, 1, "the film is good", steps=8)
    monkeypatch.setattr(attributions, "BATCH_TOKENS", BATCH_TOKENS // 40)
    batched = explain(both, 1, "the film is good", steps=8)
    for one, other in zip(whole.readings.values(), batched.readings.values(), strict=True):
        assert one.integrated == pytest.approx(other.integrated, abs=1e-4)
        assert one.left_out == pytest.approx(other.left_out, abs=1e-4)


def test_a_long_text_is_explained_as_far_as_it_is_read(networks: Networks) -> None:
    from tests.factories.tiny_study import MAX_LENGTH

    found = explain(networks("sst2"), 0, "good " * 100, steps=2)
    assert len(found.words) == MAX_LENGTH - 2
    assert all(isinstance(reading, Reading) for reading in found.readings.values())


def test_an_answer_that_is_no_number_is_an_error(networks: Networks) -> None:
    import torch

    network = networks("sst2")[1]
    with torch.no_grad():
        network.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(MeasureError, match=r"slim-50: the answer is not a number, expected finite logits"):
        explain([network], 0, "good")
