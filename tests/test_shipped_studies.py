"""The studies that ship with SlimViz are whole, load as said, and score what they say where GLUE is at hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pruning.bert.shapes import Site
from pruning.cli.main import main
from pruning.data import PROBE_FOLDER, SOURCE_VARIABLE, load_examples
from pruning.data.tasks import get_task
from pruning.selection.select import select, smallest_total_density
from pruning.study import BUNDLED, load_cut, load_factors, read_study, verify

ROOT = Path(__file__).resolve().parents[1]
STUDIES = sorted(path.parent for path in BUNDLED.glob("*/study.json"))
NAMES = [path.name for path in STUDIES]
FILM = "film"
MOST_LOST = 0.03  # of the teacher's accuracy, on texts about other things than films
CORRELATION_TOLERANCE = 1e-4

pytestmark = pytest.mark.skipif(not STUDIES, reason=f"no studies ship in {BUNDLED.parent.name}/{BUNDLED.name} yet")
each_study = pytest.mark.parametrize("folder", STUDIES, ids=NAMES)

# What a user does with a slim folder, in a process that has seen nothing of SlimViz before.
ANSWERS = """
import json, sys
import torch
import pruning.slimbert
from pruning.study import read_study
from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging, pipeline

logging.set_verbosity_error()
logging.disable_progress_bar()
report = {}
for folder in sys.argv[1:]:
    study, found = read_study(folder), {}
    text = {"text": "The soup was warm and good.", "text_pair": "A good warm soup."}
    inputs = text if study.task.is_pair else text["text"]
    for variant in [name for name in study.variants if name.startswith("slim-") and study.weights(name)]:
        place = str(study.weights(variant))
        model = AutoModelForSequenceClassification.from_pretrained(place)
        classify = pipeline("text-classification", place, device="cpu")
        tokenizer = AutoTokenizer.from_pretrained(place)
        given = [text["text"], text["text_pair"]] if study.task.is_pair else [text["text"]]
        with torch.inference_mode():
            logits = model(**tokenizer(*given, return_tensors="pt")).logits[0]
        answer = classify(inputs)
        found[variant] = {
            "answer": answer[0] if isinstance(answer, list) else answer,
            "logits": logits.tolist(),
            "numel": sum(parameter.numel() for parameter in model.parameters()),
            "is_half": any(parameter.dtype != torch.float32 for parameter in model.parameters()),
            "kind": type(model).__name__,
        }
    teacher = study.network("teacher")
    found["teacher"] = {"numel": sum(parameter.numel() for parameter in teacher.parameters())}
    report[study.name] = found
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the shipped networks of all studies answer in a process of their own."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", ANSWERS, *map(str, STUDIES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@each_study
def test_nothing_is_wrong_with_it(folder: Path) -> None:
    assert verify(folder) == []


@each_study
def test_its_selections_can_be_made_again(folder: Path) -> None:
    """From the stored factors and budget: the same masks, pieces, rank, pooler, widths and density."""
    study = read_study(folder)
    factors = load_factors(study)
    assert study.selections
    for budget, stored in study.selections.items():
        again = select(factors, stored.budget, stored.settings, stored.criterion)
        cut = load_cut(study, budget)
        for site in Site:
            assert np.array_equal(again.masks[site], cut.masks[site]), (budget, site)
        assert np.array_equal(again.pieces, cut.pieces)
        assert np.array_equal(again.pooler, cut.pooler)
        assert again.shape == stored.network
        assert (again.total_density, again.encoder_density) == (stored.total_density, stored.encoder_density)
        assert again.total_density <= stored.budget.value
        assert study.document.smallest_total_density == smallest_total_density(factors, stored.settings)


@each_study
def test_its_provenance_is_full(folder: Path) -> None:
    document = read_study(folder).document
    provenance = document.provenance
    for name in ("command", "commit", "date", "hardware", "libraries", "seconds"):
        assert getattr(provenance, name), name
    assert provenance.command.startswith("python -m pruning run --task ")
    assert document.task == get_task(document.task.name)
    assert not re.search(r"[\s\"'=]/\w", (folder / "study.json").read_text()), "a path of the machine that made it"


@each_study
def test_its_slim_network_answers_without_a_hub_and_has_as_many_parameters_as_stored(
    folder: Path, answers: dict[str, Any]
) -> None:
    study = read_study(folder)
    found = answers[study.name]
    slim = [name for name in found if name != "teacher"]
    assert "slim-10" in slim
    for variant, reported in found.items():
        assert reported["numel"] == study.result(variant).parameters.total, variant
    for variant in slim:
        answer, logits = found[variant]["answer"], np.array(found[variant]["logits"])
        assert found[variant]["kind"] == "SlimBertForSequenceClassification"
        assert not found[variant]["is_half"]
        if study.task.labels is None:
            assert answer["score"] == pytest.approx(logits[0], abs=1e-4)  # the raw score, no probability
        else:
            odds = np.exp(logits - logits.max())
            assert answer["label"] == study.task.labels[int(logits.argmax())]
            assert answer["score"] == pytest.approx((odds / odds.sum()).max(), abs=1e-4)


@each_study
def test_measure_reproduces_its_scores(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = os.environ.get(SOURCE_VARIABLE)
    study = read_study(folder)
    if not source or not (Path(source) / study.task.name).is_dir():
        pytest.skip(f"{SOURCE_VARIABLE} names no folder with {study.task.name}")
    capsys.readouterr()
    assert main(["measure", str(folder), "--data", source, "--device", "cpu", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["results"]
    assert {row["variant"] for row in rows} >= {"teacher", "slim-10"}
    stored = {(str(row.variant), row.split): row for row in study.results}
    for row in rows:
        expected = stored[row["variant"], row["split"]]
        assert row["count"] == expected.count
        assert row["correct"] == expected.correct
        assert row["metrics"] == pytest.approx(expected.metrics, abs=CORRELATION_TOLERANCE)


@pytest.mark.skipif("sst2" not in NAMES, reason="no study of sst2 ships yet")
def test_slim_keeps_up_on_texts_about_other_things_than_films() -> None:
    """A network and a vocabulary cut to film reviews must not have forgotten what people otherwise write about."""
    from pruning.measure.scoring import score
    from pruning.study.networks import load_network

    study = read_study(BUNDLED / "sst2")
    examples = load_examples(study.task, "validation", "probe")
    assert examples.domains is not None, PROBE_FOLDER
    others = examples.take([number for number, domain in enumerate(examples.domains) if domain != FILM])
    assert len(others) >= 100
    networks = {study.variant(name): load_network(study, name) for name in ("teacher", "slim-10")}
    accuracy = {str(row.variant): row.metrics["accuracy"] for row in score(study.task, networks, others, "probe")}
    assert accuracy["slim-10"] >= accuracy["teacher"] - MOST_LOST, accuracy
