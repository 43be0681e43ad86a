from __future__ import annotations

import pytest

from pruning.study import Study
from pruning.variants import slim
from slimviz.frames.results import main_speed, study_title, summarise


def test_titles_say_more_where_a_study_is_not_named_after_its_task(studies: dict[str, Study]) -> None:
    assert study_title("sst2", studies["sst2"]) == "SST-2"
    assert study_title("mine/sst2", studies["sst2"]) == "SST-2 (mine/sst2)"


def test_overview_has_every_number_of_the_study(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    row = summarise("sst2", study, "10")
    stored = study.result(slim("10"))
    assert stored is not None
    assert row.slim.score == stored.metrics["accuracy"]
    assert row.slim.correct / row.slim.count == pytest.approx(row.slim.score)
    assert row.retention == stored.retention
    assert row.retention_above_floor == stored.retention_above_floor
    assert row.floor == 0.509
    assert row.total_density == stored.total_density
    assert row.encoder_density == stored.encoder_density
    assert (row.speedup_32 or 0) > (row.speedup_1 or 0) > 1
    assert row.conditions == "CPU, 2 threads, 32 tokens"
    assert row.slim.size_bytes < row.teacher.size_bytes
    assert row.ships_weights


def test_a_budget_without_weights_has_no_size_and_no_speed(studies: dict[str, Study]) -> None:
    row = summarise("sst2", studies["sst2"], "25")
    assert not row.ships_weights
    assert row.slim.size_bytes is None
    assert row.speedup_32 is None
    assert row.conditions is None
    assert row.slim.score is not None


def test_an_unknown_budget_leaves_the_teacher_alone(studies: dict[str, Study]) -> None:
    row = summarise("sst2", studies["sst2"], "3")
    assert row.slim.score is None
    assert row.total_density is None
    assert row.teacher.score is not None


def test_correlations_are_not_counted_as_correct(studies: dict[str, Study]) -> None:
    row = summarise("cola", studies["cola"], "10")
    assert row.metric == "MCC"
    assert row.slim.correct is None
    assert row.slim.count == 1043
    assert [other[0] for other in row.others] == ["Accuracy"]
    assert row.others[0][1] == pytest.approx(751 / 1043)


def test_the_main_result_is_of_the_main_split(studies: dict[str, Study]) -> None:
    study = studies["mnli"]
    first, dense = study.result("slim-10"), study.result("teacher")
    assert first is not None
    assert dense is not None
    other = first.replace(split="validation_mismatched", metrics={"accuracy": 0.1})
    teacher = dense.replace(split="validation_mismatched", metrics={"accuracy": 0.2})
    both = Study(study.folder, study.document.replace(results=(other, *study.results)))
    assert summarise("mnli", both, "10") == summarise("mnli", study, "10")
    only = Study(
        study.folder,
        study.document.replace(results=(*(row for row in study.results if row.variant != slim("10")), other, teacher)),
    )
    row = summarise("mnli", only, "10")
    assert (row.split, row.slim.score, row.teacher.score) == ("validation_mismatched", 0.1, 0.2)


def test_speed_is_quoted_at_32_tokens_where_measured(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    found = main_speed(study, slim("10"), 1)
    assert found is not None
    assert found.length == 32
    only_real = tuple(row for row in study.document.speed if row.length == "real")
    without = Study(study.folder, study.document.replace(speed=only_real))
    found = main_speed(without, slim("10"), 1)
    assert found is not None
    assert found.length == "real"
