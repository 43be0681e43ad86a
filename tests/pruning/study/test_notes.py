"""What is said beside a study's scores: samples by the rows that were counted, the teacher's start, WNLI's split."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pruning.data.tasks import custom_task
from pruning.study import BUNDLED, Document, Study, read_study, verify
from pruning.study.document import StartRecord
from pruning.study.notes import Sample, given_text, notes, sample_text, samples, start_text
from pruning.variants import slim
from tests.factories.study_document import add_ablations, add_networks, edit
from tests.factories.synthetic_study import write_study

SAMPLED = ("mnli", "qnli", "qqp")  # whose training rows here are a part of GLUE's
Make = Callable[[str], Document]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda task: read_study(write_study(tmp_path, task)).document


def trained_on(document: Document, rows: int) -> Document:
    data = document.provenance.data
    return document.replace(
        provenance=document.provenance.replace(data=data.replace(train=data.train.replace(rows=rows)))
    )


def test_a_study_of_whole_splits_is_no_sample(make: Make) -> None:
    document = make("mnli")
    assert samples(document) == ()
    assert notes(document, "MNLI") == ()
    assert samples(trained_on(document, 400_000)) == ()  # more than GLUE's: nothing is missing


def test_a_sample_is_told_by_its_rows(make: Make) -> None:
    document = trained_on(make("mnli"), 48_668)
    assert samples(document) == (Sample("train", 48_668, 392_702),)
    further = tuple(row.replace(split="validation_mismatched", count=9_380) for row in document.results)
    both = document.replace(results=document.results + further)
    assert samples(both)[1:] == (Sample("validation_mismatched", 9_380, 9_832),)
    assert notes(both, "MNLI") == (
        "MNLI learned from 48,668 of GLUE's 392,702 training rows and was scored on 9,380 of GLUE's 9,832 validation "
        "mismatched rows, so it is not comparable with published results on all of them.",
    )


def test_of_a_users_own_task_there_is_no_more(make: Make) -> None:
    document = trained_on(make("sst2"), 10)
    assert sample_text(document) is not None
    own = custom_task("reviews", document.task.text, document.task.labels)
    assert sample_text(document.replace(task=own)) is None


def test_whose_classifier_the_teacher_is(make: Make) -> None:
    document = make("sst2")
    assert given_text(document) is None
    config = document.config.replace(teacher=document.config.teacher.replace(tuning="none"))
    given = document.replace(config=config)
    taken = f"{document.backbone.name}, fine-tuned before and taken as it is; its weights are"
    assert notes(given, "SST-2") == (f"SST-2's teacher is {taken} not stored here.",)
    assert given_text(given.replace(config=config.replace(keep_teacher=True))) == f"teacher is {taken} stored here"


def test_whose_teacher_it_started_from(make: Make) -> None:
    document = make("rte")
    assert start_text(document) is None
    started = document.replace(provenance=document.provenance.replace(start=StartRecord("mnli", "4" * 64)))
    assert start_text(started) == "teacher starts from MNLI's"
    assert notes(started, "RTE") == ("RTE's teacher starts from MNLI's.",)


def test_wnli_is_said_to_mislead(make: Make) -> None:
    (said,) = notes(make("wnli"), "WNLI")
    assert said.startswith("WNLI's validation split repeats sentences of the training split, nearly always under the")
    assert said.endswith("so the floor is the score to expect.")


@pytest.mark.parametrize("folder", sorted(BUNDLED.glob("*/study.json")), ids=lambda path: path.parent.name)
def test_of_the_studies_that_ship_those_of_samples_say_so(folder: Path) -> None:
    document = read_study(folder.parent).document
    assert bool(samples(document)) == (document.task.name in SAMPLED)


def test_spread_is_the_mean_and_deviation_over_seeds(tmp_path: Path) -> None:
    folder = write_study(tmp_path, "stsb", shipped=())
    edit(folder, lambda document: add_networks(document, (1, 2), solved=True))
    edit(folder, add_ablations)
    assert verify(folder) == []
    study = read_study(folder)
    own = study.result(slim("10"))
    assert own is not None
    spread = study.spread(slim("10"))
    assert spread is not None
    assert spread.seeds == 3
    assert spread.mean == pytest.approx(own.metrics["pearson"] - 0.01)  # itself, 0.01 and 0.02 less
    assert spread.deviation == pytest.approx(0.01)
    assert study.spread(slim("25")) is None
    assert study.spread(slim("3")) is None
    elsewhere = tuple(row.replace(split="other") for row in study.results if row.variant == slim("10", 1))
    rest = tuple(row for row in study.results if row.variant != slim("10", 1))
    two = Study(folder, study.document.replace(results=rest + elsewhere)).spread(slim("10"))
    assert two is not None
    assert two.seeds == 2  # a seed's row of another split is none of this one's
