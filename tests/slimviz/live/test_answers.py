"""Real networks, tiny and randomly initialised: loading, answering, waiting for each other, warming up."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from pruning.errors import MeasureError, StoreError
from pruning.study import Study, read_study
from slimviz.live import answers
from slimviz.live.answers import PREDICTION_RUNS, predict
from slimviz.live.networks import (
    TEACHER,
    Network,
    _load_network,
    _spare_the_collector,
    load_network,
    load_networks,
    max_length,
    slim_budgets,
)
from slimviz.live.warm_up import WARM_UP_VARIABLE, _warm_up, start_warm_up, warm_up
from tests.factories.tiny_backbone import make_bert, make_tokenizer
from tests.factories.tiny_study import BUDGET, MAX_LENGTH, write_tiny_study

REPOSITORY = Path(__file__).resolve().parents[3]
SLIM = f"slim-{BUDGET}"
BOTH = (TEACHER, SLIM)
TEXTS = ("the film is good", "a cold soup", "not very warm", "the dog runs", "bad", "a b c d", "is 7 good")


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    _load_network.clear()
    yield
    _load_network.clear()


def study(tiny_folder: Path, name: str) -> Study:
    return read_study(tiny_folder / name)


def networks(tiny_folder: Path, name: str) -> list[Network]:
    loaded, problems = load_networks(study(tiny_folder, name), BOTH)
    assert not problems
    return loaded


# Loading


def test_garbage_collection_is_quick_once_networks_are_loaded(tiny_folder: Path) -> None:
    """Streamlit collects after each run: what torch and transformers brought must not be looked through every time."""
    _spare_the_collector.cache_clear()
    gc.unfreeze()
    seen = len(gc.get_objects())
    load_networks(study(tiny_folder, "sst2"), BOTH)
    assert len(gc.get_objects()) < seen / 10
    assert gc.get_freeze_count() > seen / 2


def test_only_budgets_with_weights_are_offered(tiny_folder: Path) -> None:
    assert slim_budgets(study(tiny_folder, "sst2")) == [BUDGET]


def test_longest_text_is_the_study_s_own(tiny_folder: Path) -> None:
    assert max_length(study(tiny_folder, "sst2")) == MAX_LENGTH


def test_networks_are_loaded_once_for_study_variant_and_device(tiny_folder: Path) -> None:
    first, second = networks(tiny_folder, "sst2"), networks(tiny_folder, "sst2")
    assert [a.model is b.model for a, b in zip(first, second, strict=True)] == [True, True]
    for text in TEXTS:
        predict(first, text)
    assert networks(tiny_folder, "sst2")[1].model is first[1].model
    assert networks(tiny_folder, "stsb")[1].model is not first[1].model


def test_a_study_that_was_replaced_is_loaded_again(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    before = load_network(read_study(folder), SLIM)
    os.utime(folder / "study.json", ns=(1, 1))
    assert load_network(read_study(folder), SLIM).model is not before.model


def test_damaged_and_missing_weights_are_one_line(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    weights = folder / SLIM / "model.safetensors"
    weights.write_bytes(b"\xff" * weights.stat().st_size)
    loaded, problems = load_networks(read_study(folder), BOTH)
    assert [network.variant for network in loaded] == [TEACHER]
    assert problems[SLIM].startswith(f"sst2/{SLIM}: {SLIM}/model.safetensors is not the file that was stored")
    assert "\n" not in problems[SLIM]
    with pytest.raises(StoreError, match="sst2/slim-10: no weights in the study folder"):
        load_network(read_study(folder), "slim-10")


def test_without_its_backbone_the_teacher_stays_away(tmp_path: Path) -> None:
    folder = write_tiny_study(tmp_path)
    (tmp_path / ".backbone" / "model.safetensors").unlink()
    loaded, problems = load_networks(read_study(folder), BOTH)
    assert [network.variant for network in loaded] == [SLIM]
    assert "backbone" in problems[TEACHER]


# Answering


def test_answers_are_those_of_the_networks_themselves(tiny_folder: Path) -> None:
    import torch

    teacher, slim = predict(networks(tiny_folder, "sst2"), TEXTS[0])
    inputs = make_tokenizer()(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        wanted = torch.softmax(make_bert("sst2", seed=2)(**inputs).logits, -1)[0].tolist()
    assert teacher.probabilities == pytest.approx(wanted, abs=1e-5)
    assert slim.probabilities is not None
    assert sum(slim.probabilities) == pytest.approx(1)
    assert slim.probabilities != pytest.approx(wanted, abs=1e-3)
    assert (teacher.label, teacher.score) == (int(np.argmax(wanted)), None)
    assert (teacher.pieces, teacher.unknown, teacher.left_out) == (4, 0, 0)
    assert teacher.latency_ms > 0
    assert 1 <= teacher.runs == slim.runs <= PREDICTION_RUNS  # fewer on a busy machine


def test_a_regression_gives_a_score_and_three_labels_three_probabilities(tiny_folder: Path) -> None:
    for answer in predict(networks(tiny_folder, "stsb"), "the dog runs", "a dog runs"):
        assert answer.probabilities is None
        assert answer.label is None
        assert answer.score is not None
    for answer in predict(networks(tiny_folder, "mnli"), "the dog runs", "a dog runs"):
        assert answer.probabilities is not None
        assert len(answer.probabilities) == 3


def test_what_does_not_fit_is_counted(tiny_folder: Path) -> None:
    for answer in predict(networks(tiny_folder, "sst2"), "good " * 100):
        assert (answer.pieces, answer.left_out) == (MAX_LENGTH - 2, 100 - MAX_LENGTH + 2)
    for answer in predict(networks(tiny_folder, "stsb"), "good " * 100, "bad"):
        assert (answer.pieces, answer.left_out) == (MAX_LENGTH - 3, 101 - MAX_LENGTH + 3)


@pytest.mark.parametrize(
    ("text", "pieces", "unknown"), [("🙂 🙃", 2, 2), ("\u200b", 0, 0), ("好 good", 2, 1), ("[CLS] [SEP]", 0, 0)]
)
def test_what_is_unknown_is_counted(tiny_folder: Path, text: str, pieces: int, unknown: int) -> None:
    for answer in predict(networks(tiny_folder, "sst2"), text):
        assert (answer.pieces, answer.unknown) == (pieces, unknown)
        assert answer.is_readable is (pieces > unknown)


def test_an_answer_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    import torch

    slim = load_network(read_study(write_tiny_study(tmp_path)), SLIM)
    with torch.no_grad():
        slim.model.classifier.bias.fill_(float("nan"))
    with pytest.raises(MeasureError, match=r"slim-50: the answer is not a number, expected finite logits"):
        predict([slim], "good")


def test_all_computing_holds_the_lock_and_answers_stay_what_they_are(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pruning.measure.latency import TIMING_LOCK
    from slimviz.live.examples import Drawn
    from slimviz.live.run import LiveRun, RunSettings
    from tests.factories.tiny_study import tiny_examples

    loaded = networks(tiny_folder, "sst2")
    alone = {text: [answer.probabilities for answer in predict(loaded, text)] for text in TEXTS}
    examples = tiny_examples("sst2", 60)

    def measured() -> list[dict]:
        run = LiveRun(
            study(tiny_folder, "sst2"), loaded, Drawn(examples, 60, "made up"), RunSettings("cpu", 8, 16), "validation"
        )
        assert [step.share for step in run.steps()][-1] == 1
        return run.rows()

    quiet = measured()
    computing, seen, forward = threading.Semaphore(1), [], answers.forward

    def watched(network: Network, inputs: dict) -> tuple[np.ndarray, float]:
        seen.append(TIMING_LOCK._is_owned())  # type: ignore[attr-defined]
        assert computing.acquire(blocking=False), "two threads compute at once"
        try:
            return forward(network, inputs)
        finally:
            computing.release()

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


def test_a_run_lets_a_prediction_in_between_two_batches(tiny_folder: Path) -> None:
    """The lock is free whenever a step is handed out, or one visitor would freeze the others."""
    from slimviz.live.examples import Drawn
    from slimviz.live.run import LiveRun, RunSettings
    from tests.factories.tiny_study import tiny_examples

    loaded = networks(tiny_folder, "sst2")
    drawn = Drawn(tiny_examples("sst2", 24), 24, "made up")
    with ThreadPoolExecutor(1) as pool:
        for _ in LiveRun(study(tiny_folder, "sst2"), loaded, drawn, RunSettings("cpu", 8, 16), "validation").steps():
            assert len(pool.submit(predict, loaded, "good").result(timeout=30)) == 2


# Importing and warming up


def test_neither_module_imports_torch() -> None:
    script = (
        "import slimviz.live.warm_up, slimviz.live.run, slimviz.pages.playground, slimviz.pages.live, sys;"
        "assert not {'torch', 'transformers', 'tokenizers', 'datasets', 'peft'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slimviz.live.warm_up._warm_up_started", threading.Event())
    monkeypatch.setattr("slimviz.live.warm_up.WARM_UP_DELAY", 0.0)
    monkeypatch.delenv(WARM_UP_VARIABLE, raising=False)


@pytest.mark.usefixtures("cold")
def test_no_warm_up_without_a_server_or_where_it_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start_warm_up() is False
    monkeypatch.setattr("slimviz.live.warm_up._is_server", lambda: True)
    monkeypatch.setenv(WARM_UP_VARIABLE, "0")
    assert start_warm_up() is False


@pytest.mark.usefixtures("cold")
def test_warm_up_runs_once_and_loads_what_the_first_page_will_ask_for(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pruning.study.read.BUNDLED", tiny_folder / "nothing")
    monkeypatch.setenv("SLIMVIZ_STUDIES", str(tiny_folder))
    monkeypatch.setenv(WARM_UP_VARIABLE, "1")
    done, warm_up = threading.Event(), _warm_up
    monkeypatch.setattr("slimviz.live.warm_up._warm_up", lambda: (warm_up(), done.set()))
    assert start_warm_up() is True
    assert start_warm_up() is False
    assert done.wait(60)

    def refuse(*arguments: object) -> None:
        raise AssertionError("loaded again")

    monkeypatch.setattr("pruning.study.networks.load_network", refuse)
    assert len(networks(tiny_folder, "mnli")) == 2  # the first by name


@pytest.mark.usefixtures("cold")
def test_a_failing_warm_up_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr("slimviz.live.warm_up.warm_up", fail)
    _warm_up()


def test_warm_up_without_studies_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pruning.study.read.BUNDLED", tmp_path)
    monkeypatch.setenv("SLIMVIZ_STUDIES", "")
    warm_up()


def test_apptest_is_no_server() -> None:
    from streamlit.testing.v1 import AppTest

    def script() -> None:
        import streamlit as st

        from slimviz.live.warm_up import _is_server

        st.text(str(_is_server()))

    assert AppTest.from_function(script).run(timeout=30).text[0].value == "False"
