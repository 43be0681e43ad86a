"""Sentences on what slim networks lost against their teachers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pruning.measure.intervals import Interval
from pruning.study import Study
from slimviz import results_in_words
from slimviz.frames.budgets import budgets
from slimviz.frames.results import Scored, Summary, summarise


def rows(studies: dict[str, Study], budget: str) -> list[Summary]:
    return [summarise(key, study, budget) for key, study in studies.items()]


def between(row: Summary, low: float, high: float, **changed: object) -> Summary:
    """A row whose difference to the teacher lies in this interval of points."""
    interval = Interval("accuracy", (low + high) / 200, low / 100, high / 100, 2000)
    return replace(row, interval=interval, **changed)  # type: ignore[arg-type]


@pytest.fixture
def judged(studies: dict[str, Study]) -> list[Summary]:
    """Four tasks: nothing lost, certainly something lost, nobody knows, and a teacher near its floor."""
    row = summarise("sst2", studies["sst2"], "10")
    weak = {"teacher": Scored(155 / 277, 155, 277), "floor": 146 / 277, "retention_above_floor": 2.0}
    return [
        between(row, -2.4, 1.0, title="SST-2"),
        between(row, -9.0, -0.3, title="MRPC"),
        between(row, -6.3, 4.8, title="CoLA"),
        between(row, -13.0, 2.0, title="RTE", **weak),
    ]


def test_the_headline_sorts_tasks_and_leaves_weak_teachers_out(judged: list[Summary]) -> None:
    text = results_in_words.overview_headline(judged, "10", 3)
    assert text == (
        "At 10% of their teachers' parameters, 1 of 3 tasks shows no loss beyond 3 points; lost: MRPC; can't tell: "
        "CoLA; the worst that an interval leaves possible is −9.0 (MRPC). 7.0× as fast at batch 32 on average. Left "
        "out: RTE (teacher not clearly above its floor)."
    )
    assert "%" not in text.replace("10%", "")  # no shares of shares
    assert "3 of 3 tasks show no loss beyond 10 points" in results_in_words.overview_headline(judged, "10", 10)
    assert "none of 3 tasks show no loss beyond 1 point;" in results_in_words.overview_headline(judged, "10", 1)
    assert "lost: 4 tasks" in results_in_words.overview_headline([judged[1]] * 4, "10", 3)


def test_the_headline_counts_no_rivals_beside_slimvizs_own(judged: list[Summary]) -> None:
    rival = replace(judged[1], is_rival=True, title="MRPC by random")
    text = results_in_words.overview_headline([judged[0], judged[2], rival], "10", 3)
    assert text.startswith("At 10% of their teachers' parameters, 1 of 2 tasks shows no loss beyond 3 points;")
    assert text.endswith(" Not counted: what rival methods made.")
    assert "MRPC by random" not in text
    alone = results_in_words.overview_headline([rival], "10", 3)
    assert "the slim network for MRPC by random lost something" in alone
    assert "Not counted" not in alone


def test_the_headline_of_weak_teachers_alone_says_nothing_of_them(judged: list[Summary]) -> None:
    text = results_in_words.overview_headline(judged[3:], "25", 3)
    assert text == (
        "At 25% of their teachers' parameters nothing can be said of RTE: a teacher is not clearly above its floor."
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-2.4, 1.0, "lost at most 3 points (Accuracy, 95% interval −2.4 to +1.0)"),
        (-4.0, -0.5, "lost something, perhaps more than 3 points (Accuracy, 95% interval −4.0 to −0.5)"),
        (-4.0, 0.5, "may have lost nothing, or more than 3 points (Accuracy, 95% interval −4.0 to +0.5)"),
    ],
)
def test_the_headline_of_one_study_names_it(judged: list[Summary], low: float, high: float, expected: str) -> None:
    text = results_in_words.overview_headline([between(judged[0], low, high)], "10", 3)
    assert text == (
        f"At 10% of its teacher's parameters, the slim network for SST-2 {expected}, and answers 7.0× as fast at "
        "batch 32."
    )


def test_the_headline_leaves_out_what_was_not_measured(studies: dict[str, Study], judged: list[Summary]) -> None:
    assert "fast" not in results_in_words.overview_headline(rows(studies, "25"), "25", 3)
    assert results_in_words.overview_headline(rows(studies, "3"), "3", 3).startswith("No study has results at 3%")
    text = results_in_words.overview_headline([replace(judged[0], interval=None)], "10", 3)
    assert f"SST-2 scores {judged[0].slim.score:.3f} in Accuracy, its teacher" in text
    assert results_in_words.overview_headline(judged[:1], "flops-25", 3).startswith(
        "At 25% of its teacher's FLOPs, the "
    )


def test_a_row_in_words(judged: list[Summary]) -> None:
    row = replace(judged[0], slim=Scored(0.889, 775, 872), teacher=Scored(0.896, 781, 872), seeds=(-0.012, 0.005))
    assert results_in_words.row_sentence(row) == (
        "SST-2 at 10%: Accuracy 0.889 (775/872), teacher 0.896 (781/872), floor 0.509. −0.7 points, with 95% "
        "confidence −2.4 to +1.0 over examples. Recovered with other seeds: −1.2 and +0.5."
    )
    assert results_in_words.row_sentence(replace(row, slim=Scored())) == "SST-2 at 10%: no result is stored."


def test_budgets_name_those_with_weights(studies: dict[str, Study]) -> None:
    study = studies["sst2"]
    frame = [summarise("sst2", study, budget) for budget in budgets(study)]
    text = results_in_words.budget_sentence(frame, "SST-2")
    assert text.startswith("SST-2 against its teacher, in points of Accuracy: +0.1 at 50%, ")
    assert text.endswith("; weights are stored at 10%.")
    assert "no weights" in results_in_words.budget_sentence(
        [replace(row, ships_weights=False) for row in frame], "SST-2"
    )
    none = [replace(row, slim=Scored()) for row in frame]
    assert results_in_words.budget_sentence(none, "SST-2") == "SST-2 has no results yet."
    unsure = [replace(row, interval=None) for row in frame]
    assert results_in_words.budget_sentence(unsure, "SST-2") == "SST-2's weights are stored at 10%."
    other = replace(frame[2], budget="flops-25")
    assert " at 25% of FLOPs; weights are stored at 25% of FLOPs." in results_in_words.budget_sentence([other], "SST-2")


@pytest.mark.parametrize(("correct", "is_weak"), [(152, True), (158, True), (164, False), (230, False)])
def test_teacher_near_the_floor_is_said(correct: int, is_weak: bool) -> None:
    """Two standard errors of a floor of 0.527 on 277 examples are 0.06: 16.6 examples more than 146."""
    teacher = Scored(correct / 277, correct, 277)
    text = results_in_words.teacher_sentence("RTE", teacher, 146 / 277)
    assert (text is not None) == is_weak
    if text is not None:
        assert text.startswith(
            f"RTE's teacher is not clearly above the floor itself ({correct / 277:.3f} against 0.527"
        )
    assert results_in_words.teacher_sentence("RTE", replace(teacher, correct=None), 146 / 277) is None
