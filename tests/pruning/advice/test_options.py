"""Options are what a study ends with, by its stored numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pruning.advice import called, options_of
from pruning.data.tasks import get_task
from pruning.study import read_study
from tests.factories.study_document import add_networks, edit
from tests.factories.synthetic_study import bert_shape, write_study

SHAPE = bert_shape(get_task("cola"), layers=2, heads=2, head_size=16, ffn=64)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written = write_study(tmp_path, "cola", shape=SHAPE, budgets=("50", "10"))
    edit(written, lambda document: add_networks(document, (1, 2), solved=True))
    return written


def test_steps_and_further_seeds_are_no_options(folder: Path) -> None:
    study = read_study(folder)
    assert {"post-training-10", "slim-10-seed1"} <= set(study.variants)
    options = {option.variant.name: option for option in options_of(study, "cola", "pruning")}
    assert list(options) == ["teacher", "slim-50", "slim-10"]
    slim, stored = options["slim-10"], study.result("slim-10")
    assert stored is not None
    assert slim.score == stored.metrics["mcc"]
    assert slim.correct is None  # accuracy's count would say nothing of MCC
    assert slim.lost == pytest.approx(100 * (options["teacher"].score - slim.score))
    assert (slim.interval, slim.size_bytes, slim.budget) == (stored.interval, stored.size_bytes, 0.1)
    timed = slim.time(32, 32)
    assert timed is not None
    (speed,) = [one for one in study.document.speed if (one.variant.name, one.batch, one.length) == ("slim-10", 32, 32)]
    assert (timed.median_ms, timed.threads) == (speed.median_ms, speed.threads)
    assert timed.hardware == study.document.provenance.hardware
    assert len(slim.times) == len({(one.batch, one.length) for one in slim.times}) == 8  # real texts have no length
    assert slim.time(8, 32) is None
    assert (slim.runtime, slim.then) == ("torch", None)


def test_networks_whose_weights_are_stored_are_exported_and_the_others_made_again(folder: Path) -> None:
    command = "python -m pruning run --task cola --data glue"
    edit(folder, lambda document: document["provenance"].update(command=command))
    options = {option.variant.name: option for option in options_of(read_study(folder), "cola", "pruning")}
    assert options["slim-10"].command == "pruning export cola --variant slim-10 --to cola-slim-10"
    assert options["slim-50"].command == "pruning run --task cola --data glue --ship 0.5 --output my-studies"
    assert [option.is_stored for option in options.values()] == [True, False, True]
    edit(folder, lambda document: document["provenance"].update(command="slimviz sweep"))
    assert [option.command is None for option in options_of(read_study(folder), "cola", "pruning")] == [
        False,
        True,
        False,
    ]


def test_commands_name_studies_that_ship_and_folders_of_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_study(folder)
    assert called(study) == str(folder)
    monkeypatch.setattr("pruning.study.read.BUNDLED", folder.parent)
    assert called(study) == "cola"


def test_a_study_whose_own_networks_are_solved_alone_has_those(tmp_path: Path) -> None:
    written = write_study(tmp_path, "cola", shape=SHAPE, budgets=("50", "10"), shipped=())

    def only_solved(document: dict) -> None:
        add_networks(document, solved=True)
        document["results"] = [row for row in document["results"] if row["variant"]["method"] != "slim"]
        document["speed"] = []

    edit(written, only_solved)
    names = [option.variant.name for option in options_of(read_study(written), "cola", "pruning")]
    assert names == ["teacher", "post-training-50", "post-training-10"]
