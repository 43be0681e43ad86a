"""Answering, and waiting for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pruning.errors import MeasureError
from pruning.study import Study, read_study
from pruning.variants import slim
from slimviz.live import answers
from slimviz.live.answers import PREDICTION_RUNS, predict
from slimviz.live.examples import Drawn
from slimviz.live.networks import Network, computing, load_network, others_wait
from slimviz.live.run import LiveRun, RunSettings
from tests.factories.tiny_backbone import make_bert, make_tokenizer
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, tiny_examples, write_tiny_study

TEXTS = ("the film is good", "a cold soup", "not very warm", "the dog runs", "bad", "a b c d", "is 7 good")
Networks = Callable[[str], list[Network]]
Studies = Callable[[str], Study]


def test_answers_are_those_of_the_networks_themselves(networks: Networks) -> None:
    import torch

    teacher, small = predict(networks("sst2"), TEXTS[0])
    inputs = make_tokenizer()(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        wanted = torch.softmax(make_bert("sst2", seed=2)(**inputs).logits, -1)[0].tolist()
    assert teacher.probabilities == pytest.approx(wanted, abs=1e-5)
    assert small.probabilities is not None
    assert sum(small.probabilities) == pytest.approx(1)
    assert small.probabilities != pytest.approx(wanted, abs=1e-3)
    assert (teacher.label, teacher.score) == (int(np.argmax(wanted)), None)
    assert (teacher.pieces, teacher.unknown, teacher.left_out) == (4, 0, 0)
    assert teacher.latency_ms > 0
    assert 1 <= teacher.runs == small.runs <= PREDICTION_RUNS  # fewer on a busy machine


def test_a_regression_gives_a_score_and_three_labels_three_probabilities(
    networks: Networks,
) -> None:
    for answer in predict(networks("stsb"), "the dog runs", "a dog runs"):
        assert answer.probabilities is None
        assert answer.label is None
        assert answer.score is not None
    for answer in predict(networks("mnli"), "the dog runs", "a dog runs"):
        assert answer.probabilities is not None
        assert len(answer.probabilities) == 3


def test_what_does_not_fit_is_counted(networks: Networks) -> None:
    for answer in predict(networks("sst2"), "good " * 100):
        assert (answer.pieces, answer.left_out) == (MAX_LENGTH - 2, 100 - MAX_LENGTH + 2)
    for answer in predict(networks("stsb"), "good " * 100, "bad"):
        assert (answer.pieces, answer.left_out) == (MAX_LENGTH - 3, 101 - MAX_LENGTH + 3)


@pytest.mark.parametrize(
    ("text", "pieces", "unknown"), [("🙂 🙃", 2, 2), ("\u200b", 0, 0), ("好 good", 2, 1), ("[CLS] [SEP]", 0, 0)]
)
def test_what_is_unknown_is_counted(networks: Networks, text: str, pieces: int, unknown: int) -> None:
    for answer in predict(networks("sst2"), text):
        assert (answer.pieces, answer.unknown) == (pieces, unknown)
        assert answer.is_readable is (pieces > unknown)


def test_an_answer_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    import torch

    network = load_network(read_study(write_tiny_study(tmp_path)), slim(BUDGET))
    with torch.no_grad():
        network.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(MeasureError, match=r"slim-50: the answer is not a number, expected finite logits"):
        predict([network], "good")


def test_where_others_wait_a_text_is_timed_once(networks: Networks) -> None:
    loaded = networks("sst2")
    alone = predict(loaded, TEXTS[0])

    def wait() -> bool:
        with computing():
            return others_wait()

    with ThreadPoolExecutor(1) as pool:
        with computing():
            waiter = pool.submit(wait)
            while not others_wait():
                time.sleep(0.001)
            beside = predict(loaded, TEXTS[0])
        assert not waiter.result(timeout=60)
    assert not others_wait()
    assert [answer.runs for answer in beside] == [1, 1]
    assert [answer.probabilities for answer in beside] == [answer.probabilities for answer in alone]


def test_all_computing_holds_the_lock_and_answers_stay_what_they_are(
    networks: Networks, study: Studies, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure.latency import TIMING_LOCK

    loaded = networks("sst2")
    alone = {text: [answer.probabilities for answer in predict(loaded, text)] for text in TEXTS}
    examples = tiny_examples("sst2", 60)

    def measured() -> list[dict]:
        run = LiveRun(study("sst2"), loaded, Drawn(examples, 60, "made up"), RunSettings(8, 16), "validation")
        assert [step.share for step in run.steps()][-1] == 1
        return run.rows()

    quiet = measured()
    alone_at_work, seen, forward = threading.Semaphore(1), [], answers.forward

    def watched(network: Network, inputs: dict) -> tuple[np.ndarray, float]:
        seen.append(TIMING_LOCK._is_owned())  # type: ignore[attr-defined]
        assert alone_at_work.acquire(blocking=False), "two threads compute at once"
        try:
            return forward(network, inputs)
        finally:
            alone_at_work.release()

    monkeypatch.setattr("slimviz.live.answers.forward", watched)
    start = threading.Barrier(3)

    def predict_all() -> list[list]:
        start.wait()
        return [[answer.probabilities for answer in predict(loaded, text)] for _ in range(8) for text in TEXTS]

    def measure_beside() -> list[dict]:
        start.wait()
        return measured()

    with ThreadPoolExecutor(3) as pool:
        typed = [pool.submit(predict_all) for _ in range(2)]
        rows = pool.submit(measure_beside).result(timeout=120)
        said = [future.result(timeout=120) for future in typed]
    wanted = [alone[text] for _ in range(8) for text in TEXTS]
    assert said == [wanted, wanted]
    assert all(seen)
    for key in ("accuracy", "correct", "difference", "low", "high", "examples"):
        assert [row.get(key) for row in rows] == [row.get(key) for row in quiet]


def test_a_run_lets_a_prediction_in_between_two_batches(networks: Networks, study: Studies) -> None:
    """The lock is free whenever a step is handed out, or one visitor would freeze the others."""
    loaded = networks("sst2")
    drawn = Drawn(tiny_examples("sst2", 24), 24, "made up")
    with ThreadPoolExecutor(1) as pool:
        for _ in LiveRun(study("sst2"), loaded, drawn, RunSettings(8, 16), "validation").steps():
            assert len(pool.submit(predict, loaded, "good").result(timeout=30)) == 2
